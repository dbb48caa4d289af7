package auth

import (
	"fmt"
	"net/http"
	"strings"
)

var errNotBearer = fmt.Errorf(`%w: Authorization must be "Bearer <token>"`, ErrBadToken)

// BearerFromHeader returns the token of the Authorization header (RFC 6750 §2.1).
// No such header is [ErrNoToken]; another scheme, several headers or a malformed
// token are [ErrBadToken].
func BearerFromHeader(header http.Header) (string, error) {
	switch values := header.Values("Authorization"); len(values) {
	case 0:
		return "", ErrNoToken
	case 1:
		return parseBearer(values[0])
	default:
		return "", fmt.Errorf("%w: Authorization was sent %d times", ErrBadToken, len(values))
	}
}

// BearerFromPayload returns the token of a connection_init payload, a string
// "Bearer <token>" under "Authorization" or "authorization". Neither present is
// [ErrNoToken]; both, another type or a malformed token are [ErrBadToken].
func BearerFromPayload(payload map[string]any) (string, error) {
	value, present := payload["Authorization"]
	lower, lowerPresent := payload["authorization"]
	switch {
	case present && lowerPresent:
		return "", fmt.Errorf(`%w: the payload holds both "Authorization" and "authorization"`, ErrBadToken)
	case lowerPresent:
		value = lower
	case !present:
		return "", ErrNoToken
	}
	credentials, ok := value.(string)
	if !ok {
		return "", errNotBearer
	}
	return parseBearer(credentials)
}

// parseBearer splits credentials (RFC 9110 §11.4): a scheme in any case, spaces, a token.
func parseBearer(credentials string) (string, error) {
	scheme, token, _ := strings.Cut(credentials, " ")
	token = strings.Trim(token, " ")
	if !strings.EqualFold(scheme, "Bearer") || !isBearerToken(token) {
		return "", errNotBearer
	}
	return token, nil
}

// isBearerToken tells whether the text is a b64token of RFC 6750 §2.1:
// 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"=".
func isBearerToken(text string) bool {
	body := strings.TrimRight(text, "=")
	return body != "" && !strings.ContainsFunc(body, func(r rune) bool {
		isAlphanumeric := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		return !isAlphanumeric && !strings.ContainsRune("-._~+/", r)
	})
}
