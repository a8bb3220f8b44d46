export { asyncApi, CLIENT_FRAMES, nameOfFrame, SERVER_FRAMES } from './asyncapi.js';
export { openApi, ROUTES, templateOf } from './openapi.js';
export { type Route, TAGS } from './route.js';
