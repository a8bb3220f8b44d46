export const placeholder_testing = 1;
