package auth

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"
)

const (
	// MaxUserIDBytes bounds a user's id, the sub claim.
	MaxUserIDBytes = 128
	// MaxNameLength bounds a user's name, in characters (Unicode code points).
	MaxNameLength = 120

	maxTokenIDBytes   = 256
	maxAvatarURLBytes = 2048

	// maxNumericDate is the last second of the year 9999. Later dates don't fit
	// RFC 3339, and much later ones overflow [time.Time] without a word.
	maxNumericDate = 253402300799
)

// ownIDPrefixes begin the ids of rooms, messages and members.
var ownIDPrefixes = []string{"r_", "m_", "rm_"}

// viewerOf reads the claims of a token whose signature and dates hold.
//
// Claims that identify (sub, jti) must be exact. Claims that only decorate (name,
// picture, avatarUrl) never bar anybody from signing in: they are cut, cleaned, or
// left out. picture is the standard claim of OpenID Connect Core §5.1.
func viewerOf(claims jwt.MapClaims) (*Viewer, error) {
	if err := checkDates(claims, "exp", "nbf", "iat"); err != nil {
		return nil, err
	}
	expires, err := claims.GetExpirationTime()
	if err != nil || expires == nil {
		return nil, errors.New("it has no exp claim")
	}
	id, ok := claims["sub"].(string)
	if !ok {
		return nil, errors.New("it has no sub claim")
	}
	if err := checkUserID(id); err != nil {
		return nil, fmt.Errorf("its sub claim %w", err)
	}
	tokenID, err := tokenIDOf(claims)
	if err != nil {
		return nil, fmt.Errorf("its jti claim %w", err)
	}
	issued, err := claims.GetIssuedAt()
	if err != nil {
		return nil, errors.New("its iat claim is not a number")
	}
	viewer := &Viewer{
		ID:        id,
		Name:      displayName(claims["name"], id),
		AvatarURL: avatarURL(claims["picture"], claims["avatarUrl"]),
		TokenID:   tokenID,
		Expires:   expires.Add(Leeway),
	}
	if issued != nil {
		viewer.IssuedAt = issued.Time
	}
	return viewer, nil
}

func checkDates(claims jwt.MapClaims, names ...string) error {
	for _, name := range names {
		if seconds, ok := claims[name].(float64); ok && math.Abs(seconds) > maxNumericDate {
			return fmt.Errorf("its %s claim is out of range", name)
		}
	}
	return nil
}

func tokenIDOf(claims jwt.MapClaims) (string, error) {
	claim, present := claims["jti"]
	if !present {
		return "", nil
	}
	id, ok := claim.(string)
	if !ok {
		return "", errors.New("is not a string")
	}
	return id, checkIdentifier(id, maxTokenIDBytes)
}

func checkUserID(id string) error {
	if err := checkIdentifier(id, MaxUserIDBytes); err != nil {
		return err
	}
	for _, prefix := range ownIDPrefixes {
		if strings.HasPrefix(id, prefix) {
			return fmt.Errorf("begins with %s, which is reserved", prefix)
		}
	}
	return nil
}

func checkIdentifier(id string, maxBytes int) error {
	switch {
	case id == "":
		return errors.New("is empty")
	case len(id) > maxBytes:
		return fmt.Errorf("is longer than %d bytes", maxBytes)
	// JSON decoding puts U+FFFD in the place of every malformed byte and lone
	// surrogate: two different subjects would become one user.
	case !utf8.ValidString(id), strings.ContainsRune(id, utf8.RuneError):
		return errors.New("is not valid UTF-8")
	case strings.ContainsFunc(id, unicode.IsControl):
		return errors.New("contains a control character")
	}
	return nil
}

// displayName makes a name of the claim: control characters become spaces, what is
// beyond [MaxNameLength] is cut, and the id stands in when nothing remains.
func displayName(claim any, id string) string {
	name, _ := claim.(string)
	name = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, name))
	if runes := []rune(name); len(runes) > MaxNameLength {
		name = strings.TrimSpace(string(runes[:MaxNameLength]))
	}
	if name == "" {
		name = id
	}
	return name
}

// avatarURL returns the first claim that a page can safely show as a picture.
func avatarURL(claims ...any) string {
	showable := func(claim any) bool {
		text, _ := claim.(string)
		if len(text) > maxAvatarURLBytes {
			return false
		}
		parsed, err := url.Parse(text)
		return err == nil && (parsed.Scheme == "https" || parsed.Scheme == "http") && parsed.Hostname() != ""
	}
	if i := slices.IndexFunc(claims, showable); i >= 0 {
		return claims[i].(string)
	}
	return ""
}
