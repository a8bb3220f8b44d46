export const placeholder_contract = 1;
