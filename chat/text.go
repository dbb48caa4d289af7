package chat

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"
)

// checkContent refuses message content that is blank, too long or not text.
func (l Limits) checkContent(content string) error {
	switch {
	case len(content) > l.ContentBytes:
		return Errorf(BadInput, "the content is longer than %d bytes", l.ContentBytes).InField("content")
	case !utf8.ValidString(content) || strings.ContainsRune(content, 0):
		return Errorf(BadInput, "the content isn't text in UTF-8").InField("content")
	case strings.TrimSpace(content) == "":
		return Errorf(BadInput, "the content is blank").InField("content")
	}
	return nil
}

// checkClientID refuses idempotency keys that are too long or not text; "" is none.
func (l Limits) checkClientID(id string) error {
	if len(id) > l.ClientIDBytes {
		return Errorf(BadInput, "the clientId is longer than %d bytes", l.ClientIDBytes).InField("clientId")
	}
	return checkText("clientId", id, l.ClientIDBytes, "")
}

// roomName returns a room's name without the space around it; nil is none.
func (l Limits) roomName(name *string) (string, error) {
	if name == nil {
		return "", nil
	}
	trimmed := strings.TrimSpace(*name)
	if trimmed == "" {
		return "", Errorf(BadInput, "the name is blank; null is no name").InField("name")
	}
	return trimmed, checkText("name", trimmed, l.NameChars, "")
}

// roomTopic returns a room's topic without the space around it; nil and blank are none.
func (l Limits) roomTopic(topic *string) (string, error) {
	if topic == nil {
		return "", nil
	}
	trimmed := strings.TrimSpace(*topic)
	return trimmed, checkText("topic", trimmed, l.TopicChars, "\r\n\t")
}

// searchText returns the lower-cased text to search room names for; nil and blank are all rooms.
func (l Limits) searchText(search *string) (string, error) {
	if search == nil {
		return "", nil
	}
	trimmed := strings.TrimSpace(*search)
	return strings.ToLower(trimmed), checkText("search", trimmed, l.SearchChars, "")
}

// checkText refuses what is longer than so many code points, isn't UTF-8 or has control characters
// other than those allowed.
func checkText(field, text string, chars int, allowed string) error {
	if utf8.RuneCountInString(text) > chars {
		return Errorf(BadInput, "the %s is longer than %d characters", field, chars).InField(field)
	}
	control := func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune(allowed, r) }
	if !utf8.ValidString(text) || strings.ContainsFunc(text, control) {
		return Errorf(BadInput, "the %s isn't text without control characters", field).InField(field)
	}
	return nil
}

// roomMetadata returns metadata as compact JSON; none and null are nil.
func (l Limits) roomMetadata(metadata json.RawMessage) (json.RawMessage, error) {
	if len(metadata) == 0 {
		return nil, nil
	}
	var compact bytes.Buffer
	if !utf8.Valid(metadata) || json.Compact(&compact, metadata) != nil {
		return nil, Errorf(BadInput, "the metadata isn't JSON").InField("metadata")
	}
	if compact.Len() > l.MetadataBytes {
		return nil, Errorf(BadInput, "the metadata is longer than %d bytes", l.MetadataBytes).InField("metadata")
	}
	if compact.String() == "null" {
		return nil, nil
	}
	return compact.Bytes(), nil
}
