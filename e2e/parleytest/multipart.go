package parleytest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
)

// AcceptMultipart is what asks for a multipart response, and nothing else.
const AcceptMultipart = "multipart/mixed;boundary=graphql;subscriptionSpec=1.0"

// OverMultipart runs an operation over a multipart response of its own.
func OverMultipart(ctx context.Context, c *Client, op Operation) (*Stream, error) {
	return overHTTP(ctx, c, op, http.Header{"Accept": {AcceptMultipart}}, func(r *http.Response, frames chan<- Frame) {
		next := Parts(r)
		for {
			f, err := next()
			switch {
			case errors.Is(err, io.EOF):
				f.End = true
			case err != nil:
				f = Frame{End: true, Err: err}
			}
			frames <- f
			if f.End {
				return
			}
		}
	})
}

// Parts returns what reads a multipart response's parts, passing over those that are signs of life. An error
// of the transport is the end; a response that all is told of ends with io.EOF.
func Parts(response *http.Response) (next func() (Frame, error)) {
	_, params, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	reader := multipart.NewReader(response.Body, params["boundary"])
	return func() (f Frame, _ error) {
		for {
			if err != nil {
				return f, err
			}
			part, err := reader.NextPart()
			if err != nil {
				return f, err
			}
			var told struct {
				Payload    *Result
				Errors     []Error
				Extensions struct{ Cursor string }
			}
			if err := json.NewDecoder(part).Decode(&told); err != nil {
				return f, err
			}
			switch {
			case told.Errors != nil:
				f.Result.Errors, f.End = told.Errors, true
			case told.Payload != nil:
				f.Result, f.Cursor = *told.Payload, told.Payload.Extensions.Cursor
			case told.Extensions.Cursor != "":
				f.Cursor = told.Extensions.Cursor
			default:
				continue
			}
			return f, nil
		}
	}
}
