package chat

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Ids of our own begin with one of these; they carry their room, so that no table is needed to
// find what an id belongs to. A user's id is the token's subject and may not begin like them.
const (
	roomPrefix    = "r_"
	messagePrefix = "m_"
	memberPrefix  = "rm_"
)

// GeneralRoomID is the public room that development mode creates at first start.
const GeneralRoomID = roomPrefix + "general"

const (
	// MaxUserID bounds a user's id, in bytes.
	MaxUserID = 128
	// maxID bounds any id we parse, in bytes.
	maxID = 512
)

// NewRoomID returns a fresh, unguessable room id.
func NewRoomID() string { return roomPrefix + strings.ToLower(rand.Text()[:20]) }

// DirectRoomID returns the id of the one DIRECT room of two users, whichever is named first.
func DirectRoomID(a, b string) string {
	sum := sha256.Sum256([]byte(min(a, b) + "\x00" + max(a, b)))
	return roomPrefix + "d" + hex.EncodeToString(sum[:16])
}

// NewSalt returns the few random characters that a message id ends in, so that a seq issued again
// after a lossy failover makes another id.
func NewSalt() string { return strings.ToLower(rand.Text()[:6]) }

// MessageID returns the id of a room's message: m_<room>_<seq>_<salt>.
func MessageID(room string, seq uint64, salt string) string {
	return messagePrefix + strings.TrimPrefix(room, roomPrefix) + "_" + strconv.FormatUint(seq, 36) + "_" + salt
}

// ParseMessageID returns what a message id carries, and whether it is one at all.
func ParseMessageID(id string) (room string, seq uint64, salt string, ok bool) {
	rest, ok := strings.CutPrefix(id, messagePrefix)
	if !ok || len(id) > maxID {
		return "", 0, "", false
	}
	parts := strings.Split(rest, "_")
	if len(parts) != 3 || parts[2] == "" || !IsRoomID(roomPrefix+parts[0]) {
		return "", 0, "", false
	}
	seq, err := strconv.ParseUint(parts[1], 36, 53)
	if err != nil || seq == 0 || MessageID(roomPrefix+parts[0], seq, parts[2]) != id {
		return "", 0, "", false
	}
	return roomPrefix + parts[0], seq, parts[2], true
}

// MemberID returns the id of a user's membership of a room: rm_<room>_<user, base64url>.
func MemberID(room, user string) string {
	return memberPrefix + strings.TrimPrefix(room, roomPrefix) + "_" + base64.RawURLEncoding.EncodeToString([]byte(user))
}

// ParseMemberID returns what a member id carries, and whether it is one at all.
func ParseMemberID(id string) (room, user string, ok bool) {
	rest, ok := strings.CutPrefix(id, memberPrefix)
	if !ok || len(id) > maxID {
		return "", "", false
	}
	name, encoded, ok := strings.Cut(rest, "_")
	if !ok || !IsRoomID(roomPrefix+name) {
		return "", "", false
	}
	raw, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil || !IsUserID(string(raw)) || MemberID(roomPrefix+name, string(raw)) != id {
		return "", "", false
	}
	return roomPrefix + name, string(raw), true
}

// IsRoomID reports whether id has the form of a room's id: r_ and 1 to 64 of a-z and 0-9.
func IsRoomID(id string) bool {
	name, ok := strings.CutPrefix(id, roomPrefix)
	if !ok || name == "" || len(name) > 64 {
		return false
	}
	return strings.IndexFunc(name, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') }) < 0
}

// IsUserID reports whether id may be a user's: 1 to MaxUserID bytes of UTF-8 without control
// characters, not beginning like an id of ours.
func IsUserID(id string) bool {
	if id == "" || len(id) > MaxUserID || !utf8.ValidString(id) || strings.ContainsFunc(id, unicode.IsControl) {
		return false
	}
	for _, prefix := range []string{roomPrefix, messagePrefix, memberPrefix} {
		if strings.HasPrefix(id, prefix) {
			return false
		}
	}
	return true
}
