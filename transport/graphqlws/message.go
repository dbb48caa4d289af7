package graphqlws

//lint:file-ignore ST1005 these errors are sent as the texts of close frames, worded as graphql-ws words them

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/99designs/gqlgen/graphql"

	"parley/transport"
)

// kind is the type of a message.
type kind string

// Messages of graphql-transport-ws.

const (
	kindInit      kind = "connection_init"
	kindAck       kind = "connection_ack"
	kindPing      kind = "ping"
	kindPong      kind = "pong"
	kindSubscribe kind = "subscribe"
	kindNext      kind = "next"
	kindError     kind = "error"
	kindComplete  kind = "complete"
)

// maxID bounds an operation's id, in bytes; stock clients send UUIDs.
const maxID = 128

// clientMessage is a message of the client, decoded and checked: it has the content of its kind.
type clientMessage struct {
	kind kind
	id   string
	// payload is a JSON object; nil if there is none.
	payload json.RawMessage
	params  *graphql.RawParams
}

// content is what a message of the client has beside its type.
type content uint8

const (
	// contentObject: an object as payload, or none.
	contentObject content = 1 << iota
	// contentID: an operation's id.
	contentID
	// contentParams: an operation as payload.
	contentParams
)

// clientKinds are the messages that a client may send.
var clientKinds = map[kind]content{
	kindInit: contentObject, kindPing: contentObject, kindPong: contentObject,
	kindSubscribe: contentID | contentParams, kindComplete: contentID,
}

// decode decodes one of the messages that a protocol knows. Its errors say, fit for a close frame, what is wrong with it. Members
// that the protocol doesn't know are ignored.
func decode(text []byte, kinds map[kind]content) (clientMessage, error) {
	members, err := decodeObject(text)
	if err != nil {
		return clientMessage{}, err
	}
	var m clientMessage
	if json.Unmarshal(members["type"], (*string)(&m.kind)) != nil || m.kind == "" {
		return m, errors.New("Invalid message: \"type\" must be a string")
	}
	has, known := kinds[m.kind]
	if !known {
		return m, fmt.Errorf("Invalid message: unknown type %.40q", string(m.kind))
	}
	if has&contentObject != 0 {
		m.payload, err = objectOrNothing(members["payload"])
	}
	if has&contentID != 0 {
		m.id, err = decodeID(members["id"])
	}
	if has&contentParams != 0 && err == nil {
		m.params, err = decodeParams(members["payload"])
	}
	return m, err
}

// decodeObject decodes a JSON object, and nothing else, by exact names.
func decodeObject(text []byte) (members map[string]json.RawMessage, err error) {
	if json.Unmarshal(text, &members) != nil || members == nil {
		return nil, errors.New("Invalid message: a JSON object is expected, and nothing else")
	}
	return members, nil
}

func decodeID(raw json.RawMessage) (id string, err error) {
	switch {
	case json.Unmarshal(raw, &id) != nil || id == "":
		return "", errors.New("Invalid message: \"id\" must be a non-empty string")
	case len(id) > maxID:
		return "", fmt.Errorf("Invalid message: \"id\" is longer than %d bytes", maxID)
	}
	return id, nil
}

// objectOrNothing takes null for nothing, and copies what is there: messages don't outlive their
// handling.
func objectOrNothing(raw json.RawMessage) (json.RawMessage, error) {
	switch {
	case len(raw) == 0 || raw[0] == 'n':
		return nil, nil
	case raw[0] != '{':
		return nil, errors.New("Invalid message: \"payload\" must be an object")
	}
	return bytes.Clone(raw), nil
}

func decodeParams(raw json.RawMessage) (*graphql.RawParams, error) {
	if len(raw) == 0 || raw[0] != '{' {
		return nil, errors.New("Invalid message: \"payload\" must be an object")
	}
	params, err := transport.ParseParams(raw)
	if err != nil {
		return nil, fmt.Errorf("Invalid message: %w", err)
	}
	return params, nil
}

// serverMessage is a message of the server. The id comes last.
type serverMessage struct {
	Type    kind            `json:"type"`
	Payload json.RawMessage `json:"payload,omitempty"`
	ID      string          `json:"id,omitempty"`
}
