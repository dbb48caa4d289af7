package transport

import (
	"bytes"
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
	object, err := parseObject(body)
	if err != nil {
		return nil, err
	}
	return paramsOf(object)
}

// ParseQuery decodes a GraphQL request from a URL's query string (GraphQL over HTTP §5.2).
func ParseQuery(rawQuery string) (*graphql.RawParams, error) {
	values, err := url.ParseQuery(rawQuery)
	if err != nil || !allUTF8(values) {
		return nil, unreadable("the query string is malformed")
	}
	object := map[string]json.RawMessage{}
	for _, name := range []string{"query", "operationName", documentID} {
		if values.Has(name) {
			object[name] = marshal(values.Get(name))
		}
	}
	for _, name := range []string{"variables", "extensions"} {
		if text := values.Get(name); text != "" {
			if !json.Valid([]byte(text)) {
				return nil, fmt.Errorf("%q isn't valid JSON", name)
			}
			object[name] = json.RawMessage(text)
		}
	}
	if values.Get("operationName") == "" {
		delete(object, "operationName")
	}
	return paramsOf(object)
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

func paramsOf(object map[string]json.RawMessage) (*graphql.RawParams, error) {
	params, id := &graphql.RawParams{}, ""
	for _, text := range []struct {
		name string
		into *string
	}{
		{"query", &params.Query}, {"operationName", &params.OperationName}, {documentID, &id},
	} {
		if err := decodeString(object[text.name], text.name, text.into); err != nil {
			return nil, err
		}
	}
	if err := decodeObject(object["variables"], "variables", &params.Variables); err != nil {
		return nil, err
	}
	if err := decodeObject(object["extensions"], "extensions", &params.Extensions); err != nil {
		return nil, err
	}
	if id != "" {
		if params.Extensions == nil {
			params.Extensions = map[string]any{}
		}
		params.Extensions[documentID] = id
	}
	if isNull(object["query"]) && params.Extensions[documentID] == nil && params.Extensions["persistedQuery"] == nil {
		return nil, errors.New(`"query" is missing`)
	}
	return params, nil
}

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || raw[0] == 'n' }

func decodeString(raw json.RawMessage, name string, into *string) error {
	if isNull(raw) {
		return nil
	}
	if json.Unmarshal(raw, into) != nil {
		return fmt.Errorf("%q must be a string", name)
	}
	return nil
}

// decodeObject keeps numbers as they were written.
func decodeObject(raw json.RawMessage, name string, into *map[string]any) error {
	if isNull(raw) {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if decoder.Decode(into) != nil {
		return fmt.Errorf("%q must be an object", name)
	}
	return nil
}

// parseObject decodes a JSON object, and nothing else, by exact names.
func parseObject(text []byte) (object map[string]json.RawMessage, err error) {
	if err := json.Unmarshal(text, &object); err != nil {
		if _, ok := errors.AsType[*json.UnmarshalTypeError](err); !ok {
			return nil, unreadable("the request isn't valid JSON, or something follows it")
		}
	}
	if object == nil {
		return nil, errors.New("the request must be a JSON object")
	}
	return object, nil
}
