package auth_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"parley/auth"
)

// credentials are values of Authorization and the token in each, "" where refused.
var credentials = []struct{ name, value, token string }{
	{"usual", "Bearer abc.def.ghi", "abc.def.ghi"},
	{"lower case", "bearer abc", "abc"},
	{"upper case", "BEARER abc", "abc"},
	{"several spaces", "Bearer   abc ", "abc"},
	{"all characters of a token", "Bearer aZ09-._~+/==", "aZ09-._~+/=="},
	{"empty", "", ""},
	{"scheme only", "Bearer", ""},
	{"scheme and space", "Bearer ", ""},
	{"no scheme", "abc.def.ghi", ""},
	{"no space", "Bearerabc", ""},
	{"tab", "Bearer\tabc", ""},
	{"another scheme", "Basic YWRhOng=", ""},
	{"space before", " Bearer abc", ""},
	{"two tokens", "Bearer abc def", ""},
	{"list", "Bearer abc, Bearer def", ""},
	{"padding only", "Bearer ==", ""},
	{"padding inside", "Bearer a=b", ""},
	{"quoted", `Bearer "abc"`, ""},
	{"line break", "Bearer abc\r\nX: y", ""},
	{"zero byte", "Bearer abc\x00", ""},
	{"not ASCII", "Bearer abcé", ""},
	{"malformed UTF-8", "Bearer abc\xff", ""},
}

func mustParse(t *testing.T, want, token string, err error) {
	t.Helper()
	if token != want {
		t.Errorf("token = %q, want %q", token, want)
	}
	if refused := errors.Is(err, auth.ErrBadToken); refused != (want == "") || (err == nil) == refused {
		t.Errorf("error = %v", err)
	}
}

func TestBearerFromHeader(t *testing.T) {
	for _, test := range credentials {
		t.Run(test.name, func(t *testing.T) {
			token, err := auth.BearerFromHeader(http.Header{"Authorization": {test.value}})
			mustParse(t, test.token, token, err)
		})
	}
	t.Run("absent", func(t *testing.T) {
		header := http.Header{"Cookie": {"Authorization=Bearer abc"}, "Proxy-Authorization": {"Bearer abc"}}
		if token, err := auth.BearerFromHeader(header); token != "" || !errors.Is(err, auth.ErrNoToken) {
			t.Errorf("= %q, %v; want ErrNoToken", token, err)
		}
	})
	t.Run("sent twice", func(t *testing.T) {
		token, err := auth.BearerFromHeader(http.Header{"Authorization": {"Bearer abc", "Bearer abc"}})
		mustParse(t, "", token, err)
	})
}

func TestBearerFromPayload(t *testing.T) {
	for _, test := range credentials {
		for _, key := range []string{"Authorization", "authorization"} {
			t.Run(key+"/"+test.name, func(t *testing.T) {
				token, err := auth.BearerFromPayload(map[string]any{key: test.value, "other": 1})
				mustParse(t, test.token, token, err)
			})
		}
	}
	for name, payload := range map[string]map[string]any{
		"nil": nil, "empty": {}, "other keys": {"token": "Bearer abc", "AUTHORIZATION": "Bearer abc"},
		"inside headers": {"headers": map[string]any{"Authorization": "Bearer abc"}},
	} {
		t.Run(name, func(t *testing.T) {
			if token, err := auth.BearerFromPayload(payload); token != "" || !errors.Is(err, auth.ErrNoToken) {
				t.Errorf("= %q, %v; want ErrNoToken", token, err)
			}
		})
	}
	for name, payload := range map[string]map[string]any{
		"null":     {"Authorization": nil},
		"number":   {"authorization": 7},
		"list":     {"Authorization": []any{"Bearer abc"}},
		"object":   {"Authorization": map[string]any{"Bearer": "abc"}},
		"both":     {"Authorization": "Bearer abc", "authorization": "Bearer abc"},
		"both nil": {"Authorization": nil, "authorization": nil},
	} {
		t.Run(name, func(t *testing.T) {
			token, err := auth.BearerFromPayload(payload)
			mustParse(t, "", token, err)
		})
	}
}

// FuzzBearerFromPayload: a token, an absent one or a refusal, and never anything that
// could not stand in a header.
func FuzzBearerFromPayload(f *testing.F) {
	for _, test := range credentials {
		payload, err := json.Marshal(map[string]any{"Authorization": test.value})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(payload)
	}
	f.Add([]byte(`{"authorization":"Bearer a","Authorization":null}`))
	f.Add([]byte(`{"authorization":[]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var payload map[string]any
		if json.Unmarshal(text, &payload) != nil {
			return
		}
		token, err := auth.BearerFromPayload(payload)
		switch {
		case err == nil:
			fromHeader, err := auth.BearerFromHeader(http.Header{"Authorization": {"Bearer " + token}})
			if err != nil || fromHeader != token || strings.ContainsAny(token, " \t\r\n\x00") {
				t.Errorf("token %q; as header: %q, %v", token, fromHeader, err)
			}
		case token != "":
			t.Errorf("token %q beside %v", token, err)
		case errors.Is(err, auth.ErrNoToken) == errors.Is(err, auth.ErrBadToken):
			t.Errorf("error = %v", err)
		}
	})
}
