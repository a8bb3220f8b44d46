export const placeholder_event_log = 1;
