package render

import (
	"encoding/json"

	"github.com/99designs/gqlgen/graphql"

	"parley/eventlog"
)

// overhead is about what write adds to the data.
const overhead = 160

// write puts a response down: data, errors if any, and the cursor as an extension. A root field that
// couldn't be had is null, which it is never allowed to be in our schema, and so all the data is.
func (o *operation) write(response *graphql.Response, cursor eventlog.Cursor) []byte {
	payload := make([]byte, 0, len(response.Data)+overhead)
	payload = append(payload, `{"data":`...)
	if len(response.Data) == 0 || string(response.Data) == o.nothing {
		payload = append(payload, "null"...)
	} else {
		payload = append(payload, response.Data...)
	}
	if len(response.Errors) > 0 {
		payload = append(payload, `,"errors":`...)
		payload = append(payload, encodeErrors(response)...)
	}
	return append(appendCursor(payload, cursor), '}')
}

// encodeErrors encodes errors as a JSON array. Extensions may hold anything: if they don't marshal,
// that is all that can be said.
func encodeErrors(response *graphql.Response) []byte {
	encoded, err := json.Marshal(response.Errors)
	if err != nil {
		return []byte(`[{"message":"something went wrong on our side","extensions":{"code":"INTERNAL"}}]`)
	}
	return encoded
}
