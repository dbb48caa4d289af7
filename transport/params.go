package transport

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"
)

// unreadable is the error of bytes that can't be decoded at all, unlike those that decode to
// something which isn't a request.
type unreadable string

// Error returns the text.
func (e unreadable) Error() string { return string(e) }

// ParseParams decodes a GraphQL request, a JSON object (GraphQL over HTTP §5.1; the payload of
// graphql-transport-ws's subscribe). Members it doesn't know are ignored. Batches aren't served: one
// of a hundred operations would pass for one request. Errors are fit for the client's eyes.
func ParseParams(body []byte) (*graphql.RawParams, error) {
	switch {
	case !utf8.Valid(body):
		return nil, unreadable("the request isn't UTF-8")
	case bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("[")) && json.Valid(body):
		return nil, errors.New("batches aren't served: send each operation by a request of its own")
	}
	object, valid := ParseObject(body)
	switch {
	case !valid:
		return nil, unreadable("the request isn't valid JSON, or something follows it")
	case object == nil:
		return nil, errors.New("the request must be a JSON object")
	}
	return object.Params()
}

// Params decodes the GraphQL request that the object is; see [ParseParams].
func (o Object) Params() (*graphql.RawParams, error) {
	var m members
	for name, value := range o.Members() {
		m.set(name, value)
	}
	return m.params()
}

// ParseQuery decodes a GraphQL request from a URL's query string (GraphQL over HTTP §5.2).
func ParseQuery(rawQuery string) (*graphql.RawParams, error) {
	values, err := url.ParseQuery(rawQuery)
	if err != nil || !allUTF8(values) {
		return nil, unreadable("the query string is malformed")
	}
	var m members
	for _, name := range []string{"query", "operationName", documentID} {
		if values.Has(name) {
			m.set(name, marshal(values.Get(name)))
		}
	}
	for _, name := range []string{"variables", "extensions"} {
		if text := values.Get(name); text != "" {
			if !json.Valid([]byte(text)) {
				return nil, fmt.Errorf("%q isn't valid JSON", name)
			}
			m.set(name, bytes.TrimSpace([]byte(text)))
		}
	}
	if values.Get("operationName") == "" {
		m.operationName = nil
	}
	return m.params()
}

func allUTF8(values url.Values) bool {
	for _, texts := range values {
		for _, text := range texts {
			if !utf8.ValidString(text) {
				return false
			}
		}
	}
	return true
}

// documentID names a document that the server knows, in place of a query (GraphQL over HTTP, Persisted
// Documents). It is handed on among the extensions.
const documentID = "documentId"

// members are those of a request, as JSON; nil for what is missing.
type members struct{ query, operationName, documentID, variables, extensions []byte }

func (m *members) set(name string, value []byte) {
	switch name {
	case "query":
		m.query = value
	case "operationName":
		m.operationName = value
	case documentID:
		m.documentID = value
	case "variables":
		m.variables = value
	case "extensions":
		m.extensions = value
	}
}

func (m *members) params() (*graphql.RawParams, error) {
	params, id := &graphql.RawParams{}, ""
	err := cmp.Or(
		stringIn(m.query, "query", &params.Query),
		stringIn(m.operationName, "operationName", &params.OperationName),
		stringIn(m.documentID, documentID, &id),
		objectIn(m.variables, "variables", &params.Variables),
		objectIn(m.extensions, "extensions", &params.Extensions),
	)
	if err != nil {
		return nil, err
	}
	if id != "" {
		if params.Extensions == nil {
			params.Extensions = map[string]any{}
		}
		params.Extensions[documentID] = id
	}
	if isNull(m.query) && params.Extensions[documentID] == nil && params.Extensions["persistedQuery"] == nil {
		return nil, errors.New(`"query" is missing`)
	}
	return params, nil
}

func isNull(value []byte) bool { return len(value) == 0 || value[0] == 'n' }

// stringIn decodes a member that may be missing, or null.
func stringIn(value []byte, name string, into *string) error {
	text, ok := DecodeString(value)
	if !ok && !isNull(value) {
		return fmt.Errorf("%q must be a string", name)
	}
	*into = text
	return nil
}

// objectIn decodes a member that may be missing, or null.
func objectIn(value []byte, name string, into *map[string]any) error {
	object, ok := decodeObject(value)
	if !ok && !isNull(value) {
		return fmt.Errorf("%q must be an object", name)
	}
	*into = object
	return nil
}
