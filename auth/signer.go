package auth

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"
)

// DevTokenLifetime is how long a token of the [Signer] is valid: long enough that
// nobody signs in twice during a piece of work.
const DevTokenLifetime = 30 * 24 * time.Hour

// Signer signs tokens for development, where no identity provider exists. It is safe
// for concurrent use.
type Signer struct {
	secret []byte
}

// NewSigner returns a signer whose tokens a verifier by the same secret accepts
// ([NewHS256Verifier]). A secret below [MinSecretBytes] is an error.
func NewSigner(secret []byte) (*Signer, error) {
	if err := checkSecret(secret); err != nil {
		return nil, err
	}
	return &Signer{secret: bytes.Clone(secret)}, nil
}

// Sign returns a token for the user, valid for [DevTokenLifetime] from now, with an
// id (jti) of its own. An empty name is left out. A user or name outside of the
// bounds that [Viewer] promises is [ErrBadIdentity]: what is typed at a sign-in is
// corrected by who typed it, not cut.
func (s *Signer) Sign(user, name string) (token string, err error) {
	if err := checkUserID(user); err != nil {
		return "", fmt.Errorf("%w: user %w", ErrBadIdentity, err)
	}
	if err := checkName(name); err != nil {
		return "", fmt.Errorf("%w: name %w", ErrBadIdentity, err)
	}
	now := time.Now()
	claims := jwt.MapClaims{
		"sub": user,
		"iat": now.Unix(),
		"exp": now.Add(DevTokenLifetime).Unix(),
		"jti": rand.Text(),
	}
	if name != "" {
		claims["name"] = name
	}
	token, err = jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(s.secret)
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return token, nil
}

func checkName(name string) error {
	switch {
	case !utf8.ValidString(name):
		return errors.New("is not valid UTF-8")
	case utf8.RuneCountInString(name) > MaxNameLength:
		return fmt.Errorf("is longer than %d characters", MaxNameLength)
	case strings.ContainsFunc(name, unicode.IsControl):
		return errors.New("contains a control character")
	}
	return nil
}
