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
func decode(text []byte, kinds map[kind]content) (m clientMessage, err error) {
	object, _ := transport.ParseObject(text)
	if object == nil {
		return m, errors.New("Invalid message: a JSON object is expected, and nothing else")
	}
	var typ, id, payload []byte
	for name, value := range object.Members() {
		switch name {
		case "type":
			typ = value
		case "id":
			id = value
		case "payload":
			payload = value
		}
	}
	word, _ := transport.DecodeString(typ)
	if m.kind = kind(word); m.kind == "" {
		return m, errors.New("Invalid message: \"type\" must be a string")
	}
	has, known := kinds[m.kind]
	if !known {
		return m, fmt.Errorf("Invalid message: unknown type %.40q", string(m.kind))
	}
	if has&contentObject != 0 {
		m.payload, err = objectOrNothing(payload)
	}
	if has&contentID != 0 {
		m.id, err = decodeID(id)
	}
	if has&contentParams != 0 && err == nil {
		m.params, err = decodeParams(payload)
	}
	return m, err
}

func decodeID(raw []byte) (string, error) {
	id, _ := transport.DecodeString(raw)
	switch {
	case id == "":
		return "", errors.New("Invalid message: \"id\" must be a non-empty string")
	case len(id) > maxID:
		return "", fmt.Errorf("Invalid message: \"id\" is longer than %d bytes", maxID)
	}
	return id, nil
}

// objectOrNothing takes null for nothing, and copies what is there: messages don't outlive their
// handling.
func objectOrNothing(raw []byte) (json.RawMessage, error) {
	switch {
	case len(raw) == 0 || raw[0] == 'n':
		return nil, nil
	case raw[0] != '{':
		return nil, errors.New("Invalid message: \"payload\" must be an object")
	}
	return bytes.Clone(raw), nil
}

func decodeParams(raw []byte) (*graphql.RawParams, error) {
	if len(raw) == 0 || raw[0] != '{' {
		return nil, errors.New("Invalid message: \"payload\" must be an object")
	}
	params, err := transport.Object(raw).Params()
	if err != nil {
		return nil, fmt.Errorf("Invalid message: %w", err)
	}
	return params, nil
}
