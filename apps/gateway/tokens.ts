/** Providers of the gateway that have no class of their own. */
export const TOKEN_VERIFIER = Symbol('TokenVerifier');
