export const placeholder_service = 1;
