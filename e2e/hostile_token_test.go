package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"parley/e2e/parleytest"
)

const needsViewer = `{ rooms { __typename } }`

// tokens are those that nobody should be let in with.
func (w *hostileWorld) tokens(t *testing.T) []hostileCase {
	cases := append(w.forgedTokens(t), w.badClaims(t)...)
	for i := range cases {
		cases[i].want = [5]string{"401 UNAUTHENTICATED", "401 UNAUTHENTICATED", "close 4403", "401 UNAUTHENTICATED", "401 UNAUTHENTICATED"}
	}
	nobody := &parleytest.Client{}
	anonymous := func(name, query string, c func(hostileCase) hostileCase) {
		row := c(ask(name, nobody, parleytest.Operation{Query: query}))
		row.want[2] = "close 4403" // a socket of nobody's isn't opened
		cases = append(cases, row)
	}
	anonymous("no token: viewer", harmless, func(c hostileCase) hostileCase { return c.answered("null") })
	anonymous("no token: a query", needsViewer, func(c hostileCase) hostileCase { return c.answered("UNAUTHENTICATED") })
	anonymous("no token: a mutation", mutationsOfRoom[0].withRoom(w.room), func(c hostileCase) hostileCase { return c.mutated("UNAUTHENTICATED") })
	anonymous("no token: a subscription", subscriptionsOfRoom[0].withRoom(w.room), func(c hostileCase) hostileCase { return c.followed("UNAUTHENTICATED") })
	inURL := ask("a good token in the URL", nobody, parleytest.Operation{Query: needsViewer}).answered("UNAUTHENTICATED")
	for i := range inURL.attempts {
		a := &inURL.attempts[i]
		parameters := "token=" + w.ada.Token + "&access_token=" + w.ada.Token + "&authorization=Bearer%20" + w.ada.Token
		a.path, a.query = "/graphql?"+parameters, a.query+"&"+parameters
	}
	inURL.want[2] = "close 4403"
	return append(cases, inURL)
}

// forgedTokens aren't signed as they should be.
func (w *hostileWorld) forgedTokens(t *testing.T) []hostileCase {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, claims := []byte(hostileSecret), claimsOf("ada")
	good := w.ada.Token
	head, rest, _ := strings.Cut(good, ".")
	body, signature, _ := strings.Cut(rest, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`))
	tokens := map[string]string{
		"alg none":                      signed(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, claims),
		"alg none, a good signature":    none + "." + body + "." + signature,
		"another key":                   signed(t, jwt.SigningMethodHS256, []byte(strings.ToUpper(hostileSecret)), claims),
		"an empty key":                  signed(t, jwt.SigningMethodHS256, []byte{}, claims),
		"HS384 with the right key":      signed(t, jwt.SigningMethodHS384, key, claims),
		"HS512 with the right key":      signed(t, jwt.SigningMethodHS512, key, claims),
		"ES256":                         signed(t, jwt.SigningMethodES256, private, claims),
		"no signature":                  head + "." + body + ".",
		"another one's claims":          head + "." + strings.Split(w.bob.Token, ".")[1] + "." + signature,
		"half a signature":              good[:len(good)-20],
		"a part too many":               good + "." + signature,
		"no parts":                      "token",
		"garbage":                       "a.b.c",
		"longer than 8 KiB":             signed(t, jwt.SigningMethodHS256, key, jwt.MapClaims{"sub": "ada", "exp": claims["exp"], "pad": strings.Repeat("x", 8<<10)}),
		"dots":                          "..",
		"an extension it must not skip": withHeader(t, key, claims, map[string]any{"crit": []string{"b64"}, "b64": false}),
	}
	return rowsOfTokens("token: ", tokens)
}

func withHeader(t *testing.T, key []byte, claims jwt.MapClaims, header map[string]any) string {
	t.Helper()
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, claims)
	for name, value := range header {
		token.Header[name] = value
	}
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// badClaims are signed, but don't say who until when.
func (w *hostileWorld) badClaims(t *testing.T) []hostileCase {
	soon := time.Now().Add(time.Hour).Unix()
	tokens := map[string]string{}
	for name, claims := range map[string]jwt.MapClaims{
		"expired":               {"sub": "ada", "exp": time.Now().Add(-time.Minute).Unix()},
		"no exp":                {"sub": "ada"},
		"exp in words":          {"sub": "ada", "exp": "tomorrow"},
		"exp beyond time":       {"sub": "ada", "exp": 1e300},
		"not valid yet":         {"sub": "ada", "exp": soon, "nbf": soon},
		"no sub":                {"exp": soon},
		"an empty sub":          {"sub": "", "exp": soon},
		"a sub in capitals":     {"SUB": "ada", "exp": soon},
		"a number as sub":       {"sub": 7, "exp": soon},
		"a list as sub":         {"sub": []string{"ada"}, "exp": soon},
		"a sub like a room":     {"sub": "r_general", "exp": soon},
		"a sub like a message":  {"sub": "m_x_1_abc", "exp": soon},
		"a sub like a member":   {"sub": "rm_x_YQ", "exp": soon},
		"a sub of 129 bytes":    {"sub": strings.Repeat("u", 129), "exp": soon},
		"a sub with line break": {"sub": "ada\nbob", "exp": soon},
		"a sub with zero byte":  {"sub": "ada\x00", "exp": soon},
		"a sub with U+FFFD":     {"sub": "ada\ufffd", "exp": soon},
		"a number as jti":       {"sub": "ada", "exp": soon, "jti": 7},
	} {
		tokens[name] = signed(t, jwt.SigningMethodHS256, []byte(hostileSecret), claims)
	}
	return rowsOfTokens("claims: ", tokens)
}

func rowsOfTokens(prefix string, tokens map[string]string) []hostileCase {
	var cases []hostileCase
	for name, token := range tokens {
		cases = append(cases, ask(prefix+name, &parleytest.Client{Token: token}, parleytest.Operation{Query: harmless}))
	}
	return cases
}
