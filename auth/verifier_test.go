package auth_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"parley/auth"
)

func TestNewHS256VerifierSecret(t *testing.T) {
	for name, secret := range map[string][]byte{
		"none": nil, "empty": {}, "31 bytes": []byte(strings.Repeat("s", 31)),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := auth.NewHS256Verifier(secret, auth.Options{}); err == nil {
				t.Error("the secret was accepted")
			}
			if _, err := auth.NewSigner(secret); err == nil {
				t.Error("the secret was accepted for signing")
			}
		})
	}
	t.Run("a later change of the slice changes nothing", func(t *testing.T) {
		secret := []byte(strings.Clone(string(testSecret)))
		verifier, err := auth.NewHS256Verifier(secret, auth.Options{})
		if err != nil {
			t.Fatal(err)
		}
		clear(secret)
		if _, err := verifier.Verify(t.Context(), token(t, nil)); err != nil {
			t.Error(err)
		}
	})
}

func TestVerifyViewer(t *testing.T) {
	const picture, avatar = "https://example.com/ada.png", "http://example.com/a.png"
	long := strings.Repeat("ü", auth.MaxNameLength)
	for _, test := range []struct {
		name   string
		claims claims
		want   auth.Viewer
	}{
		{"subject only", nil, auth.Viewer{ID: "ada", Name: "ada"}},
		{"everything", claims{"name": "Ada L.", "picture": picture, "jti": "t1"},
			auth.Viewer{ID: "ada", Name: "Ada L.", AvatarURL: picture, TokenID: "t1"}},
		{"longest id", claims{"sub": strings.Repeat("é", 64)},
			auth.Viewer{ID: strings.Repeat("é", 64), Name: strings.Repeat("é", 64)}},
		{"id like ours but not quite", claims{"sub": "R_1"}, auth.Viewer{ID: "R_1", Name: "R_1"}},
		{"id with our prefix inside", claims{"sub": "x:r_1"}, auth.Viewer{ID: "x:r_1", Name: "x:r_1"}},
		{"empty name", claims{"name": ""}, auth.Viewer{ID: "ada", Name: "ada"}},
		{"blank name", claims{"name": " \t "}, auth.Viewer{ID: "ada", Name: "ada"}},
		{"name of another type", claims{"name": 7}, auth.Viewer{ID: "ada", Name: "ada"}},
		{"control characters in the name", claims{"name": "\x00A\nda\u0085"}, auth.Viewer{ID: "ada", Name: "A da"}},
		{"longest name", claims{"name": long}, auth.Viewer{ID: "ada", Name: long}},
		{"name beyond the limit", claims{"name": long + "x"}, auth.Viewer{ID: "ada", Name: long}},
		{"avatarUrl", claims{"avatarUrl": avatar}, auth.Viewer{ID: "ada", Name: "ada", AvatarURL: avatar}},
		{"picture before avatarUrl", claims{"avatarUrl": avatar, "picture": picture},
			auth.Viewer{ID: "ada", Name: "ada", AvatarURL: picture}},
		{"unusable picture", claims{"avatarUrl": avatar, "picture": 1},
			auth.Viewer{ID: "ada", Name: "ada", AvatarURL: avatar}},
		{"script as picture", claims{"picture": "javascript:alert(1)"}, auth.Viewer{ID: "ada", Name: "ada"}},
		{"relative picture", claims{"picture": "/ada.png"}, auth.Viewer{ID: "ada", Name: "ada"}},
		{"picture without host", claims{"picture": "https:///ada.png"}, auth.Viewer{ID: "ada", Name: "ada"}},
		{"picture with line break", claims{"picture": picture + "\n"}, auth.Viewer{ID: "ada", Name: "ada"}},
		{"picture too long", claims{"picture": picture + strings.Repeat("x", 2048)}, auth.Viewer{ID: "ada", Name: "ada"}},
		{"names are case-sensitive", claims{"SUB": "eve", "Name": "Eve", "EXP": 1}, auth.Viewer{ID: "ada", Name: "ada"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.claims = with(test.claims)
			test.want.Expires = time.Unix(test.claims["exp"].(int64), 0).Add(auth.Leeway)
			viewer, err := newVerifier(t, auth.Options{}).Verify(t.Context(),
				compact(headerHS256, test.claims.json(t), testSecret))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&test.want, viewer); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestVerifyRefusesClaims(t *testing.T) {
	for name, changes := range map[string]claims{
		"no sub":                       {"sub": nil},
		"sub of another type":          {"sub": 7},
		"empty sub":                    {"sub": ""},
		"sub too long":                 {"sub": strings.Repeat("a", 129)},
		"sub with line break":          {"sub": "a\nb"},
		"sub with zero byte":           {"sub": "a\x00"},
		"sub with C1 control":          {"sub": "a\u0085"},
		"sub with replacement char":    {"sub": "a\ufffd"},
		"sub like a room":              {"sub": "r_1"},
		"sub like a message":           {"sub": "m_1"},
		"sub like a member":            {"sub": "rm_1"},
		"no exp":                       {"exp": nil},
		"exp zero":                     {"exp": 0},
		"exp as string":                {"exp": "9999999999"},
		"exp as boolean":               {"exp": true},
		"exp beyond the year 9999":     {"exp": 253402300800},
		"not valid yet":                {"nbf": inSeconds(600)},
		"nbf as string":                {"nbf": "1"},
		"nbf beyond all integers":      {"nbf": 1e300},
		"nbf and exp wrong way around": {"nbf": inSeconds(600), "exp": inSeconds(-600)},
		"jti of another type":          {"jti": 7},
		"empty jti":                    {"jti": ""},
		"jti too long":                 {"jti": strings.Repeat("j", 257)},
		"jti with control character":   {"jti": "j\x7f"},
	} {
		t.Run(name, func(t *testing.T) { mustRefuse(t, auth.Options{}, token(t, changes)) })
	}
}

func TestVerifyRefusesForgeries(t *testing.T) {
	payload := with(nil).json(t)
	signed := func(header string) string { return compact(header, payload, testSecret) }
	good := signed(headerHS256)
	parts := strings.Split(good, ".")
	none := encode([]byte(`{"alg":"none"}`)) + "." + parts[1] + "."
	paddingBit := func(segment string) string { // other trailing bits, same bytes
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		last := strings.IndexByte(alphabet, segment[len(segment)-1])
		return segment[:len(segment)-1] + string(alphabet[last^1])
	}
	for name, forged := range map[string]string{
		"nothing":                  "",
		"garbage":                  "garbage",
		"dots":                     "..",
		"two segments":             parts[0] + "." + parts[1],
		"four segments":            good + "." + parts[2],
		"wrong key":                compact(headerHS256, payload, otherSecret),
		"empty key":                compact(headerHS256, payload, nil),
		"no signature":             parts[0] + "." + parts[1] + ".",
		"short signature":          good[:len(good)-4],
		"other claims":             parts[0] + "." + encode([]byte(with(claims{"sub": "eve"}).json(t))) + "." + parts[2],
		"alg none":                 none,
		"alg none with signature":  none + parts[2],
		"alg None":                 signed(`{"alg":"None"}`),
		"alg HS384":                compactBy(hs384, `{"alg":"HS384"}`, payload, testSecret),
		"alg HS512":                compactBy(hs512, `{"alg":"HS512"}`, payload, testSecret),
		"alg HS512, signed by 256": signed(`{"alg":"HS512"}`),
		"alg RS256":                signed(`{"alg":"RS256"}`),
		"alg ES256":                signed(`{"alg":"ES256"}`),
		"alg EdDSA":                signed(`{"alg":"EdDSA"}`),
		"alg lower case":           signed(`{"alg":"hs256"}`),
		"alg missing":              signed(`{}`),
		"alg as list":              signed(`{"alg":["HS256"]}`),
		"alg of another case":      signed(`{"ALG":"HS256"}`),
		"critical extension":       signed(`{"alg":"HS256","crit":["b64"],"b64":false}`),
		"empty critical extension": signed(`{"alg":"HS256","crit":null}`),
		"header not JSON":          signed(`alg`),
		"header null":              signed(`null`),
		"header a list":            signed(`[]`),
		"header with more behind":  signed(headerHS256 + "{}"),
		"claims not JSON":          compact(headerHS256, `ada`, testSecret),
		"claims null":              compact(headerHS256, `null`, testSecret),
		"claims a list":            compact(headerHS256, `[]`, testSecret),
		"claims with more behind":  compact(headerHS256, payload+"{}", testSecret),
		"sub null":                 compact(headerHS256, `{"sub":null,"exp":9999999999}`, testSecret),
		"sub malformed UTF-8":      compact(headerHS256, "{\"sub\":\"a\xff\",\"exp\":9999999999}", testSecret),
		"sub lone surrogate":       compact(headerHS256, `{"sub":"\ud800","exp":9999999999}`, testSecret),
		"exp null":                 compact(headerHS256, `{"sub":"ada","exp":null}`, testSecret),
		"exp overflows a float":    compact(headerHS256, `{"sub":"ada","exp":1e999}`, testSecret),
		"padding":                  good + "=",
		"line break":               good + "\n",
		"space":                    " " + good,
		"other padding bits":       parts[0] + "." + parts[1] + "." + paddingBit(parts[2]),
		"not ASCII":                good + "é",
		"too long":                 token(t, claims{"pad": strings.Repeat("x", auth.MaxTokenBytes)}),
		"deeply nested": compact(headerHS256,
			strings.Repeat("[", 5000), testSecret),
	} {
		t.Run(name, func(t *testing.T) { mustRefuse(t, auth.Options{}, forged) })
	}
	t.Run("the original passes", func(t *testing.T) {
		if _, err := newVerifier(t, auth.Options{}).Verify(t.Context(), good); err != nil {
			t.Error(err)
		}
	})
}

// mustRefuse checks the refusal and that it repeats nothing of the token.
func mustRefuse(t *testing.T, options auth.Options, token string) {
	t.Helper()
	viewer, err := newVerifier(t, options).Verify(t.Context(), token)
	if viewer != nil || !errors.Is(err, auth.ErrBadToken) {
		t.Fatalf("Verify = %v, %v; want ErrBadToken", viewer, err)
	}
	if errors.Is(err, auth.ErrExpired) {
		t.Errorf("%v: is told to be expired", err)
	}
	mustNotQuote(t, err, token)
}

func mustNotQuote(t *testing.T, err error, token string) {
	t.Helper()
	for _, segment := range strings.Split(token, ".") {
		if len(segment) >= 16 && strings.Contains(err.Error(), segment) {
			t.Errorf("the error quotes the token: %v", err)
		}
	}
}

func TestVerifyTimes(t *testing.T) {
	for _, test := range []struct {
		name  string
		claim string
		at    time.Duration // of the claim, from now
		want  error
	}{
		{"expires now", "exp", 0, nil},
		{"expired within the leeway", "exp", -auth.Leeway + time.Second, nil},
		{"expired beyond the leeway", "exp", -auth.Leeway, auth.ErrExpired},
		{"expired long ago", "exp", -time.Hour, auth.ErrExpired},
		{"expired before 1970", "exp", -100 * 365 * 24 * time.Hour, auth.ErrExpired},
		{"valid from within the leeway", "nbf", auth.Leeway, nil},
		{"valid from beyond the leeway", "nbf", auth.Leeway + time.Second, auth.ErrBadToken},
		{"issued in the future", "iat", time.Hour, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				claimed := time.Now().Add(test.at)
				viewer, err := newVerifier(t, auth.Options{}).Verify(t.Context(), token(t, claims{test.claim: claimed.Unix()}))
				if !errors.Is(err, test.want) {
					t.Fatalf("error = %v, want %v", err, test.want)
				}
				if err == nil && !viewer.Expires.After(time.Now()) {
					t.Errorf("accepted, but expires at %v", viewer.Expires)
				}
			})
		})
	}
	t.Run("exp beyond all integers", func(t *testing.T) {
		// How it overflows, and so whether it is told to be expired, is the machine's.
		for _, exp := range []float64{1e19, 1e300, -1e300} {
			_, err := newVerifier(t, auth.Options{}).Verify(t.Context(), token(t, claims{"exp": exp}))
			if !errors.Is(err, auth.ErrBadToken) {
				t.Errorf("exp %g: %v, want ErrBadToken", exp, err)
			}
		}
	})
	t.Run("refused from Expires on", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			verifier, token := newVerifier(t, auth.Options{}), token(t, nil)
			viewer, err := verifier.Verify(t.Context(), token)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Until(viewer.Expires) - time.Nanosecond)
			if _, err := verifier.Verify(t.Context(), token); err != nil {
				t.Errorf("just before: %v", err)
			}
			time.Sleep(time.Nanosecond)
			if _, err := verifier.Verify(t.Context(), token); !errors.Is(err, auth.ErrExpired) {
				t.Errorf("then: %v, want ErrExpired", err)
			}
		})
	})
}

func TestVerifyOptions(t *testing.T) {
	issued := auth.Options{Issuer: "https://id.example", Audience: "parley"}
	good := claims{"iss": "https://id.example", "aud": "parley"}
	change := func(name string, value any) claims {
		return claims{"iss": good["iss"], "aud": good["aud"], name: value}
	}
	for name, changes := range map[string]claims{
		"as expected":      good,
		"several audience": change("aud", []string{"other", "parley"}),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := newVerifier(t, issued).Verify(t.Context(), token(t, changes)); err != nil {
				t.Error(err)
			}
		})
	}
	for name, changes := range map[string]claims{
		"neither":            nil,
		"no issuer":          change("iss", nil),
		"other issuer":       change("iss", "https://id.example/"),
		"issuer as list":     change("iss", []string{"https://id.example"}),
		"no audience":        change("aud", nil),
		"other audience":     change("aud", "Parley"),
		"no audiences":       change("aud", []string{}),
		"audience of 7":      change("aud", 7),
		"audiences with a 7": change("aud", []any{"parley", 7}),
		"expired as well":    {"iss": good["iss"], "aud": "other", "exp": inSeconds(-3600)},
	} {
		t.Run(name, func(t *testing.T) { mustRefuse(t, issued, token(t, changes)) })
	}
	t.Run("not checked unless asked", func(t *testing.T) {
		if _, err := newVerifier(t, auth.Options{}).Verify(t.Context(), token(t, good)); err != nil {
			t.Error(err)
		}
	})
}

// FuzzVerify: whatever is accepted was signed by us, with HS256.
func FuzzVerify(f *testing.F) {
	good := token(f, claims{"exp": 9999999999})
	parts := strings.Split(good, ".")
	for _, seed := range []string{
		good, good + ".", good + "\n", good + "=", "", "..", "a.b.c", parts[0] + "." + parts[1] + ".",
		encode([]byte(`{"alg":"none"}`)) + "." + parts[1] + ".",
		compact(headerHS256, `{"sub":"ada","exp":9999999999}`, otherSecret),
		compact(`{"alg":"HS512"}`, `{"sub":"ada","exp":9999999999}`, testSecret),
	} {
		f.Add(seed)
	}
	verifier := newVerifier(f, auth.Options{})
	f.Fuzz(func(t *testing.T, token string) {
		viewer, err := verifier.Verify(t.Context(), token)
		if err != nil {
			if viewer != nil || !errors.Is(err, auth.ErrBadToken) {
				t.Fatalf("Verify = %v, %v", viewer, err)
			}
			mustNotQuote(t, err, token)
			return
		}
		last := strings.LastIndexByte(token, '.')
		if token[last+1:] != encode(hs256(token[:last], testSecret)) {
			t.Fatalf("accepted, though it was not signed by us: %q", token)
		}
		headerJSON, err := base64.RawURLEncoding.DecodeString(token[:strings.IndexByte(token, '.')])
		if err != nil {
			t.Fatal(err)
		}
		header := map[string]any{}
		if err := json.Unmarshal(headerJSON, &header); err != nil || header["alg"] != "HS256" {
			t.Fatalf("accepted with header %q", headerJSON)
		}
	})
}

// FuzzVerifySigned: whatever an issuer puts into the claims, a viewer keeps its promises.
func FuzzVerifySigned(f *testing.F) {
	f.Add(headerHS256, `{"sub":"ada","name":"Ada","exp":9999999999,"jti":"1","picture":"https://a/b"}`)
	f.Add(headerHS256, `{"sub":"a\ud800","name":"\u0000","exp":1e300,"nbf":-1e300,"aud":[null]}`)
	f.Add(headerHS256, "{\"sub\":\"\xff\",\"exp\":253402300799}")
	f.Add(`{"alg":"HS256","crit":[]}`, `{"sub":"ada","exp":9999999999}`)
	verifier := newVerifier(f, auth.Options{})
	f.Fuzz(func(t *testing.T, header, payload string) {
		viewer, err := verifier.Verify(t.Context(), compact(header, payload, testSecret))
		if err != nil {
			if !errors.Is(err, auth.ErrBadToken) {
				t.Fatal(err)
			}
			return
		}
		mustBeSound(t, viewer)
	})
}

func mustBeSound(t *testing.T, viewer *auth.Viewer) {
	t.Helper()
	hasControl := func(text string) bool { return strings.ContainsFunc(text, unicode.IsControl) }
	if viewer.ID == "" || len(viewer.ID) > auth.MaxUserIDBytes || !utf8.ValidString(viewer.ID) || hasControl(viewer.ID) {
		t.Errorf("id %q", viewer.ID)
	}
	for _, prefix := range []string{"r_", "m_", "rm_"} {
		if strings.HasPrefix(viewer.ID, prefix) {
			t.Errorf("id %q", viewer.ID)
		}
	}
	// An id that stands in for the name may be longer than a name, by 8 ASCII characters.
	if n := utf8.RuneCountInString(viewer.Name); n == 0 || n > auth.MaxNameLength && viewer.Name != viewer.ID {
		t.Errorf("name of %d characters", n)
	}
	if !utf8.ValidString(viewer.Name) || hasControl(viewer.Name) {
		t.Errorf("name %q", viewer.Name)
	}
	if hasControl(viewer.TokenID) || len(viewer.TokenID) > 256 {
		t.Errorf("token id %q", viewer.TokenID)
	}
	if viewer.AvatarURL != "" && !strings.HasPrefix(strings.ToLower(viewer.AvatarURL), "http") {
		t.Errorf("avatar %q", viewer.AvatarURL)
	}
	if !viewer.Expires.After(time.Now()) || viewer.Expires.Year() > 10000 {
		t.Errorf("expires %v", viewer.Expires)
	}
}

// TestVerifyLifetime: where tokens may live only so long, none that lives longer gets in, however it is
// dated; revocations need not be kept for longer.
func TestVerifyLifetime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bounded, free := newVerifier(t, auth.Options{MaxLifetime: time.Hour}), newVerifier(t, auth.Options{})
		for _, test := range []struct {
			name    string
			life    int64
			issued  any
			refused bool
		}{
			{"short", 60, inSeconds(0), false}, {"just so", 3600, inSeconds(0), false},
			{"longer", 3660, inSeconds(0), true}, {"of years", 1 << 31, inSeconds(1<<31 - 60), true},
			{"at the end of a life too long", 60, inSeconds(-3600), true}, {"at the end of a long life", 60, inSeconds(-3540), false},
			{"of unknown age", 60, nil, true},
		} {
			dated := claims{"exp": inSeconds(test.life)}
			if test.issued != nil {
				dated["iat"] = test.issued
			}
			text := token(t, dated)
			if _, err := bounded.Verify(t.Context(), text); errors.Is(err, auth.ErrBadToken) != test.refused {
				t.Errorf("%s: %v", test.name, err)
			}
			if _, err := free.Verify(t.Context(), text); err != nil {
				t.Errorf("%s, where any will do: %v", test.name, err)
			}
		}
	})
}
