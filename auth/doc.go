// Package auth answers who is asking. It turns a bearer token into a [Viewer]
// ([Verifier], [Authenticate]), decides which web pages may talk to the server
// ([Origins]), and signs tokens for development ([DevSignIn]).
//
// Tokens are JSON Web Tokens (RFC 7519) and travel in two places only: the
// Authorization header (RFC 6750 §2.1) and the payload of connection_init.
// Cookies and query strings are never read, so a request carries no authority
// that its sender did not put there on purpose.
package auth
