package transport

import (
	"encoding/json"
	"iter"
)

// Object is a JSON object (RFC 8259 §4) as valid text, UTF-8. Its members are found without decoding what nobody
// asks for: encoding/json goes through a request several times, and makes a map on the way.
type Object []byte

// ParseObject returns the object that text is, and whether it is valid JSON at all. It is nil for any other value.
func ParseObject(text []byte) (object Object, valid bool) {
	if !json.Valid(text) {
		return nil, false
	}
	if s := (scanner{text: text}); s.next() == '{' {
		return text[s.at:], true
	}
	return nil, true
}

// Members yields the names and values of the members, in order. Values are JSON; of those with the same name the last
// counts.
func (o Object) Members() iter.Seq2[string, []byte] {
	return func(yield func(name string, value []byte) bool) {
		s := scanner{text: o}
		for name := range s.names() {
			s.next()
			begin := s.at
			s.skip()
			if !yield(name, o[begin:s.at]) {
				return
			}
		}
	}
}

// DecodeString decodes a JSON string; false for any other value.
func DecodeString(value []byte) (string, bool) {
	if len(value) == 0 || value[0] != '"' {
		return "", false
	}
	s := scanner{text: value}
	return s.string(), true
}

// decodeObject decodes an object with all that is in it; false for any other value. Numbers are kept as they were written.
func decodeObject(value []byte) (map[string]any, bool) {
	if len(value) == 0 || value[0] != '{' {
		return nil, false
	}
	s := scanner{text: value}
	object, ok := s.value().(map[string]any)
	return object, ok
}

// scanner goes through JSON that is known to be valid.
type scanner struct {
	text []byte
	at   int
}

// next moves to the next byte that isn't white space, and returns it.
func (s *scanner) next() byte {
	for s.text[s.at] <= ' ' {
		s.at++
	}
	return s.text[s.at]
}

// names goes through an object. Whoever takes a name goes past its value.
func (s *scanner) names() iter.Seq[string] {
	return func(yield func(string) bool) {
		s.next()
		s.at++ // the brace
		for s.next() != '}' {
			if s.text[s.at] == ',' {
				s.at++
				s.next()
			}
			name := s.string()
			s.next()
			s.at++ // the colon
			if !yield(name) {
				return
			}
		}
		s.at++
	}
}

func (s *scanner) value() any {
	switch s.next() {
	case '{':
		object := map[string]any{}
		for name := range s.names() {
			object[name] = s.value()
		}
		return object
	case '[':
		list := []any{}
		s.at++
		for s.next() != ']' {
			if s.text[s.at] == ',' {
				s.at++
			}
			list = append(list, s.value())
		}
		s.at++
		return list
	case '"':
		return s.string()
	}
	switch word := s.word(); word[0] {
	case 't':
		return true
	case 'f':
		return false
	case 'n':
		return nil
	default:
		return json.Number(word)
	}
}

// word is a number or a literal.
func (s *scanner) word() []byte {
	begin := s.at
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ',', ']', '}', ' ', '\n', '\r', '\t':
			return s.text[begin:s.at]
		}
		s.at++
	}
	return s.text[begin:]
}

// raw is a string as it is written, with its quotes.
func (s *scanner) raw() (raw []byte, escaped bool) {
	begin := s.at
	for s.at++; s.text[s.at] != '"'; s.at++ {
		if s.text[s.at] == '\\' {
			escaped = true
			s.at++
		}
	}
	s.at++
	return s.text[begin:s.at], escaped
}

func (s *scanner) string() (text string) {
	raw, escaped := s.raw()
	if !escaped {
		return string(raw[1 : len(raw)-1])
	}
	_ = json.Unmarshal(raw, &text) // it is a valid string
	return text
}

// skip goes past a value.
func (s *scanner) skip() {
	for depth := 0; ; {
		switch s.next() {
		case '{', '[':
			depth++
			s.at++
		case '}', ']':
			depth--
			s.at++
		case ',', ':':
			s.at++
			continue
		case '"':
			s.raw()
		default:
			s.word()
		}
		if depth == 0 {
			return
		}
	}
}
