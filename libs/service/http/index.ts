export { AnyJson, bodyOf, JsonObject, objectOf } from './body.js';
export { contentPolicy, isOwnHost } from './browsers.js';
export { createHttpApp, type HttpApp } from './http-app.js';
export { HttpRefusal } from './refusals.js';
export { RouteTable } from './route-table.js';
