export const placeholder_embedded = 1;
