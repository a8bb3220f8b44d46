export const placeholder_client = 1;
