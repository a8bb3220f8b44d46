export const placeholder_domain = 1;
