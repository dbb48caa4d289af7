package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	// MaxTokenBytes bounds a token; a longer one is refused unread.
	MaxTokenBytes = 8 << 10
	// MinSecretBytes is the least length of an HS256 secret (RFC 7518 §3.2: at
	// least as long as the hash output).
	MinSecretBytes = 32
	// Leeway is granted on exp and nbf for clocks that disagree (RFC 7519 §4.1.4).
	// It covers hosts kept by NTP and little more: a token lives that much longer.
	Leeway = 5 * time.Second
)

// Verifier turns tokens into viewers. Implementations are safe for concurrent use.
type Verifier interface {
	// Verify returns the viewer that the token names, or an error that is
	// [ErrBadToken] ([ErrExpired] among them) when the token is to blame. Any other
	// error, [ErrUnavailable] as a rule, means that it could not be judged: the caller
	// may try again. No error contains any of the token.
	Verify(ctx context.Context, token string) (*Viewer, error)
}

// Options are further demands on tokens. The zero value demands nothing more than
// a signature that holds, exp and sub.
type Options struct {
	// Issuer is what the iss claim must equal (RFC 7519 §4.1.1); empty: not checked.
	Issuer string
	// Audience is what the aud claim must contain (RFC 7519 §4.1.3); empty: not
	// checked, so that a token which names an audience is still accepted.
	Audience string
	// MaxLifetime bounds how far ahead exp may lie; 0: any distance will do.
	MaxLifetime time.Duration
}

// NewHS256Verifier returns a verifier of tokens signed by HMAC with SHA-256 under
// the secret, and by nothing else: the algorithm is pinned (RFC 8725 §3.1), whatever
// a token's header claims. A secret below [MinSecretBytes] is an error.
func NewHS256Verifier(secret []byte, options Options) (Verifier, error) {
	if err := checkSecret(secret); err != nil {
		return nil, err
	}
	key := bytes.Clone(secret)
	find := func(context.Context, *jwt.Token) (any, error) { return key, nil }
	return newJWTVerifier([]string{jwt.SigningMethodHS256.Alg()}, find, options), nil
}

// NewKeySetVerifier returns a verifier of tokens signed with the private halves of the
// keys in the set, by RSA (PKCS #1), ECDSA or EdDSA, and by nothing else: HMAC, for
// which a public key would do as the secret, is never accepted (RFC 8725 §2.1).
// Tokens of keys that can't be known now are [ErrUnavailable].
func NewKeySetVerifier(keys *KeySet, options Options) Verifier {
	return newJWTVerifier([]string{
		"RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "EdDSA",
	}, keys.key, options)
}

func checkSecret(secret []byte) error {
	if len(secret) < MinSecretBytes {
		return fmt.Errorf("an HS256 secret of %d bytes is too short: at least %d are needed (RFC 7518 §3.2)",
			len(secret), MinSecretBytes)
	}
	return nil
}

// jwtVerifier verifies tokens of some algorithms, with keys found by their header.
type jwtVerifier struct {
	parser *jwt.Parser
	find   keyFinder
	// maxLifetime is 0 for any.
	maxLifetime time.Duration
}

type keyFinder func(context.Context, *jwt.Token) (any, error)

func newJWTVerifier(methods []string, find keyFinder, options Options) *jwtVerifier {
	demands := []jwt.ParserOption{
		jwt.WithValidMethods(methods),
		jwt.WithExpirationRequired(),
		jwt.WithLeeway(Leeway),
		jwt.WithStrictDecoding(),
		jwt.WithIssuer(options.Issuer),
	}
	if options.Audience != "" {
		demands = append(demands, jwt.WithAudience(options.Audience))
	}
	return &jwtVerifier{parser: jwt.NewParser(demands...), find: find, maxLifetime: options.MaxLifetime}
}

// Verify implements [Verifier].
func (v *jwtVerifier) Verify(ctx context.Context, token string) (*Viewer, error) {
	switch {
	case len(token) > MaxTokenBytes:
		return nil, fmt.Errorf("%w: it is longer than %d bytes", ErrBadToken, MaxTokenBytes)
	case !isBearerToken(token):
		return nil, fmt.Errorf("%w: it is not a JSON Web Token", ErrBadToken)
	}
	// MapClaims keeps claim names case-sensitive (RFC 7519 §10.1.1); a struct would
	// take "SUB" for sub.
	claims := jwt.MapClaims{}
	if _, err := v.parser.ParseWithClaims(token, claims, v.keyOf(ctx)); err != nil {
		return nil, refusal(err)
	}
	viewer, err := viewerOf(claims)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadToken, err)
	}
	if err := v.tooLong(viewer); err != nil {
		return nil, err
	}
	return viewer, nil
}

// tooLong refuses a token that lives longer than tokens may. It must say when it was issued: by what is
// left of its life alone an old one would be accepted again once its revocation is forgotten.
func (v *jwtVerifier) tooLong(viewer *Viewer) error {
	switch {
	case v.maxLifetime == 0:
		return nil
	case viewer.IssuedAt.IsZero():
		return fmt.Errorf("%w: it doesn't say when it was issued", ErrBadToken)
	case viewer.Expires.Sub(viewer.IssuedAt) > v.maxLifetime+Leeway, time.Until(viewer.Expires) > v.maxLifetime+2*Leeway:
		return fmt.Errorf("%w: it would live longer than %v", ErrBadToken, v.maxLifetime)
	}
	return nil
}

var errCriticalHeader = errors.New("critical header parameter")

// keyOf refuses extensions that must be understood (RFC 7515 §4.1.11: we understand
// none) before it looks for the key.
func (v *jwtVerifier) keyOf(ctx context.Context) jwt.Keyfunc {
	return func(token *jwt.Token) (any, error) {
		if _, present := token.Header["crit"]; present {
			return nil, errCriticalHeader
		}
		return v.find(ctx, token)
	}
}

// refusals says in words of our own why a token fell: the library's words may quote
// it. The first match wins, so expiry is told only when nothing else is wrong.
var refusals = []struct{ cause, refusal error }{
	{jwt.ErrTokenMalformed, because("it is not a JSON Web Token")},
	{errNoKeys, errNoKeys},
	{errUnknownKey, because("it is signed with an unknown key")},
	{errCriticalHeader, because("its header demands an unknown extension")},
	{jwt.ErrTokenUnverifiable, because("its signing algorithm is unknown")},
	{jwt.ErrTokenSignatureInvalid, because("its signature does not hold")},
	{jwt.ErrTokenRequiredClaimMissing, because("a required claim is missing")},
	{jwt.ErrInvalidType, because("a claim has the wrong type")},
	{jwt.ErrTokenInvalidIssuer, because("another issuer is expected")},
	{jwt.ErrTokenInvalidAudience, because("it is meant for another audience")},
	{jwt.ErrTokenNotValidYet, because("it is not valid yet")},
	{jwt.ErrTokenExpired, ErrExpired},
}

func because(reason string) error { return fmt.Errorf("%w: %s", ErrBadToken, reason) }

func refusal(err error) error {
	for _, known := range refusals {
		if errors.Is(err, known.cause) {
			return known.refusal
		}
	}
	return because("it can't be verified")
}
