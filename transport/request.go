package transport

import (
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// ReadParams reads the operation of an HTTP request: by POST from a JSON body, by GET from the
// query string (GraphQL over HTTP §5).
func (s *Service) ReadParams(w http.ResponseWriter, r *http.Request) (*graphql.RawParams, *Refusal) {
	switch r.Method {
	case http.MethodPost:
		return s.readBody(w, r)
	case http.MethodGet:
		if len(r.URL.RawQuery) > s.options.MaxBody {
			return nil, &Refusal{Status: http.StatusRequestURITooLong, Code: CodeLimitExceeded,
				Message: fmt.Sprintf("the query string is longer than %d bytes, use POST", s.options.MaxBody)}
		}
		params, err := ParseQuery(r.URL.RawQuery)
		return params, s.badRequest(err)
	}
	return nil, &Refusal{Status: http.StatusMethodNotAllowed, Code: CodeBadInput, Allow: "GET, POST",
		Message: "GraphQL is served by GET and POST"}
}

func (s *Service) badRequest(err error) *Refusal {
	if err == nil {
		return nil
	}
	return &Refusal{Status: s.malformedStatus(err), Code: CodeBadInput, Message: err.Error()}
}

// readBody insists on application/json, which a foreign page can't send without a preflight.
func (s *Service) readBody(w http.ResponseWriter, r *http.Request) (*graphql.RawParams, *Refusal) {
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != mediaJSON {
		return nil, unsupported("the body of a POST must be " + mediaJSON)
	}
	if charset, ok := params["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return nil, unsupported("the body must be UTF-8")
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return nil, unsupported("the body must not be compressed")
	}
	body, err := s.readAll(w, r)
	if tooBig, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, &Refusal{Status: http.StatusRequestEntityTooLarge, Code: CodeLimitExceeded,
			Message: fmt.Sprintf("the body is larger than %d bytes", tooBig.Limit)}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, &Refusal{Status: http.StatusRequestTimeout, Code: CodeBadInput, Message: "the body came too slowly"}
	}
	if err != nil {
		return nil, s.badRequest(unreadable("the body couldn't be read"))
	}
	op, err := ParseParams(body)
	return op, s.badRequest(err)
}

func unsupported(message string) *Refusal {
	return &Refusal{Status: http.StatusUnsupportedMediaType, Code: CodeBadInput, Message: message}
}

// readAll reads the body within limits of size and time.
func (s *Service) readAll(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	control := http.NewResponseController(w)
	// A writer that knows no deadlines, as in tests, has no slow network behind it either.
	limited := control.SetReadDeadline(time.Now().Add(s.options.InitTimeout)) == nil
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(s.options.MaxBody)))
	switch {
	case err != nil:
		// The deadline stays: net/http reads what is left of the body before it answers.
		if r.ProtoMajor == 1 { // HTTP/2 would close it for all that share it
			w.Header().Set("Connection", "close")
		}
	case limited:
		err = control.SetReadDeadline(time.Time{})
	}
	return body, err
}

// MayGet refuses what a GET must not do: it could be sent by a link (GraphQL over HTTP §5.2.3).
func (c *Call) MayGet() *Refusal {
	if c.Type() != ast.Mutation {
		return nil
	}
	return &Refusal{Status: http.StatusMethodNotAllowed, Code: CodeBadInput, Allow: "POST", Message: "a mutation must be sent by POST"}
}

// Respond answers an HTTP request with one JSON document: the errors of an operation that isn't
// executed, if there are any, else the response of a query or mutation.
func (s *Service) Respond(w http.ResponseWriter, r *http.Request, call *Call, errs gqlerror.List) {
	media, ok := ParseAccept(r.Header).JSON()
	if !ok {
		NotAcceptable().Write(w)
		return
	}
	response := &graphql.Response{Errors: errs}
	if errs == nil {
		response = call.Run(r.Context())
	}
	status, media := s.responseStatus(response, media)
	if errs != nil {
		if wait, ok := errs[0].Extensions["retryAfter"].(float64); ok { // refused before it was looked at
			status = http.StatusTooManyRequests
			w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait))))
		}
	}
	w.Header().Set("Content-Type", media+charsetUTF8)
	w.Header().Add("Vary", "Accept")
	w.WriteHeader(status)
	_, _ = w.Write(EncodeResponse(response)) // fails only when the caller has gone
}

// NotAcceptable refuses to answer in any form that the client would take.
func NotAcceptable() *Refusal {
	return &Refusal{Status: http.StatusNotAcceptable, Code: CodeBadInput,
		Message: "responses are " + mediaResponse + ", " + mediaJSON + " or, for subscriptions, " + streamTypes}
}

// RefuseSubscription tells who asked for a subscription by a plain request what would do.
func RefuseSubscription() *Refusal {
	return &Refusal{Status: http.StatusNotAcceptable, Code: CodeBadInput,
		Message: "subscriptions are served over WebSocket (graphql-transport-ws) and over HTTP with Accept: " + streamTypes}
}

// requestErrors is the response of an operation that wasn't executed: without data.
type requestErrors struct {
	Errors gqlerror.List `json:"errors"`
}

// EncodeResponse encodes a response as JSON. One that was never executed has no data, not null.
func EncodeResponse(response *graphql.Response) []byte {
	if response.Data == nil && len(response.Errors) > 0 {
		return marshal(requestErrors{response.Errors})
	}
	if response.Data != nil && len(response.Errors) == 0 && len(response.Extensions) == 0 {
		return slices.Concat([]byte(`{"data":`), response.Data, []byte{'}'}) // nothing is delivered in parts
	}
	return marshal(response)
}
