package auth

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/MicahParks/jwkset"
)

const (
	// maxKeySetBytes bounds the answer of a key server, maxKeys the keys taken from it.
	maxKeySetBytes = 1 << 20
	maxKeys        = 64
	maxRedirects   = 3
	// minRSABits is the least length of an RSA key (RFC 7518 §3.3).
	minRSABits = 2048
)

// keySource is the server that publishes an issuer's keys. Its errors name no query string.
type keySource struct {
	url    *url.URL
	client *http.Client
}

func newKeySource(address string) (*keySource, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("the URL of the issuer's keys is malformed") // err quotes it
	}
	if err := checkKeyURL(u); err != nil {
		return nil, err
	}
	client := &http.Client{
		Transport: http.DefaultTransport.(*http.Transport).Clone(),
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return errors.New("too many redirects")
			}
			return checkKeyURL(r.URL)
		},
	}
	return &keySource{url: u, client: client}, nil
}

func (s *keySource) host() string { return s.url.Host }

func (s *keySource) close() { s.client.CloseIdleConnections() }

// fetch returns the keys that are published and fit to verify tokens, at least one.
func (s *keySource) fetch(ctx context.Context) ([]jwkset.JWK, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url.String(), nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/jwk-set+json, application/json")
	response, err := s.client.Do(r)
	if outer, ok := errors.AsType[*url.Error](err); ok {
		return nil, outer.Err
	}
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the answer is status %d", response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxKeySetBytes+1))
	switch {
	case err != nil:
		return nil, err
	case len(body) > maxKeySetBytes:
		return nil, fmt.Errorf("the answer is longer than %d bytes", maxKeySetBytes)
	}
	return parseKeySet(body)
}

// parseKeySet reads a JSON Web Key Set. Keys that aren't for us are left out (RFC 7517 §5): unknown
// or malformed ones, symmetric ones, weak ones, those to encrypt with.
func parseKeySet(body []byte) ([]jwkset.JWK, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if json.Unmarshal(body, &set) != nil {
		return nil, errors.New("the answer is no JSON Web Key Set")
	}
	var keys []jwkset.JWK
	for _, raw := range set.Keys {
		key, err := jwkset.NewJWKFromRawJSON(raw, jwkset.JWKMarshalOptions{Private: true}, jwkset.JWKValidateOptions{})
		if err != nil || !verifies(key) {
			continue
		}
		if keys = append(keys, key); len(keys) > maxKeys {
			return nil, fmt.Errorf("there are more than %d keys in the answer", maxKeys)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("there is no key in the answer to verify tokens with")
	}
	return keys, nil
}

// verifies tells a public key that tokens may be verified with. One published with its private half
// is no secret, so it proves nothing.
func verifies(key jwkset.JWK) bool {
	if use := key.Marshal().USE; use != "" && use != jwkset.UseSig {
		return false
	}
	switch k := key.Key().(type) {
	case *rsa.PublicKey:
		return k.N.BitLen() >= minRSABits
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return true
	}
	return false
}
