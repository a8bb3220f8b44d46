export const placeholder_read_models = 1;
