package graphqlws

//lint:file-ignore ST1005 these errors are sent as the texts of close frames, worded as graphql-ws words them

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/99designs/gqlgen/graphql"

	"parley/transport"
)

// kind is the type of a message of graphql-transport-ws.
type kind string

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

// clientMessage is a message of the client, decoded and checked.
type clientMessage struct {
	kind kind
	// id is the operation's; only for subscribe and complete.
	id string
	// payload is the JSON object of connection_init, ping and pong; nil if there is none.
	payload json.RawMessage
	// params is the payload of subscribe.
	params *graphql.RawParams
}

// decode decodes a message. Its errors say, fit for a close frame, what is wrong with it. Members
// that the protocol doesn't know are ignored.
func decode(text []byte) (clientMessage, error) {
	members, err := decodeObject(text)
	if err != nil {
		return clientMessage{}, err
	}
	var m clientMessage
	if json.Unmarshal(members["type"], (*string)(&m.kind)) != nil || m.kind == "" {
		return m, errors.New("Invalid message: \"type\" must be a string")
	}
	switch m.kind {
	case kindInit, kindPing, kindPong:
		m.payload, err = objectOrNothing(members["payload"])
	case kindSubscribe:
		if m.id, err = decodeID(members["id"]); err == nil {
			m.params, err = decodeParams(members["payload"])
		}
	case kindComplete:
		m.id, err = decodeID(members["id"])
	default:
		err = fmt.Errorf("Invalid message: unknown type %.40q", string(m.kind))
	}
	return m, err
}

// decodeObject decodes a JSON object, and nothing else, by exact names.
func decodeObject(text []byte) (members map[string]json.RawMessage, err error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&members); err != nil || members == nil {
		return nil, errors.New("Invalid message: a JSON object is expected")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("Invalid message: something follows the JSON object")
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
