package e2e

import (
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"parley/e2e/parleytest"
	"parley/store/redis/redistest"
)

// The hostile suite sends every kind of bad input over every transport. Each must be answered by its
// one clear code, and leave nothing behind. Servers run as in production, with a secret, so that
// nothing that development allows hides a hole.

// hostileSecret is what the servers' tokens are signed with.
const hostileSecret = "a secret of the tests, long enough"

// whispered is part of every content that the tests send; no log line may show it.
const whispered = "just between us"

// hostileEngines are the settings of each engine.
func hostileEngines(t *testing.T) map[string]map[string]string {
	return map[string]map[string]string{
		"SQLite": {},
		"Redis":  {"PARLEY_REDIS_URL": redistest.Start(t).URL},
	}
}

// startHostile starts a server with a secret.
func startHostile(t *testing.T, settings map[string]string) *parleytest.Node {
	t.Helper()
	all := map[string]string{"PARLEY_AUTH_SECRET": hostileSecret, "PARLEY_LOG_LEVEL": "DEBUG", "PARLEY_LEGACY_WS": "true"}
	maps.Copy(all, settings)
	node := parleytest.Start(t, all)
	t.Cleanup(func() { checkLog(t, node) })
	return node
}

// checkLog looks for faults, and for what should have stayed between client and server.
func checkLog(t *testing.T, node *parleytest.Node) {
	for line := range strings.Lines(node.Log()) {
		for _, bad := range []string{"level=ERROR", "panic", "eyJ", hostileSecret, whispered} {
			if strings.Contains(line, bad) {
				t.Errorf("the server logged %s: %.500s", bad, line)
				return
			}
		}
	}
}

// signed signs a token; key is []byte, or what the method demands.
func signed(t testing.TB, method jwt.SigningMethod, key any, claims jwt.MapClaims) string {
	t.Helper()
	token, err := jwt.NewWithClaims(method, claims).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func tokenOf(t testing.TB, user string) string {
	t.Helper()
	return signed(t, jwt.SigningMethodHS256, []byte(hostileSecret), claimsOf(user))
}

func claimsOf(user string) jwt.MapClaims {
	return jwt.MapClaims{"sub": user, "name": user, "exp": time.Now().Add(time.Hour).Unix()}
}

// person returns a client of a server with a secret.
func person(t testing.TB, node *parleytest.Node, user string) *parleytest.Client {
	t.Helper()
	return &parleytest.Client{URL: node.URL, User: user, Token: tokenOf(t, user), HTTP: http.DefaultClient}
}
