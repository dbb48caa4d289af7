package parleytest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
)

// Client speaks for one user to one node, by tokens of the development sign-in.
type Client struct {
	URL   string
	User  string
	Token string
	HTTP  *http.Client
}

// Operation is what a client asks.
type Operation struct {
	Query         string         `json:"query"`
	OperationName string         `json:"operationName,omitempty"`
	Variables     map[string]any `json:"variables,omitempty"`
	Extensions    map[string]any `json:"extensions,omitempty"`
}

// Result is a GraphQL response.
type Result struct {
	Data       json.RawMessage `json:"data"`
	Errors     []Error         `json:"errors"`
	Extensions struct {
		Cursor string `json:"cursor"`
	} `json:"extensions"`
}

// Error is a GraphQL error.
type Error struct {
	Message    string `json:"message"`
	Path       []any  `json:"path"`
	Extensions struct {
		Code   string `json:"code"`
		Field  string `json:"field"`
		Cursor string `json:"cursor"`
		// RetryAfter is in seconds.
		RetryAfter float64 `json:"retryAfter"`
	} `json:"extensions"`
}

// Code is the code of the first error, "" for none.
func (r Result) Code() string {
	if len(r.Errors) == 0 {
		return ""
	}
	return r.Errors[0].Extensions.Code
}

// At digs a value out of the data by the names of its fields; nil for what isn't there.
func (r Result) At(path ...string) any {
	var value any
	if json.Unmarshal(r.Data, &value) != nil {
		return nil
	}
	for _, name := range path {
		object, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = object[name]
	}
	return value
}

// Text is At for a string.
func (r Result) Text(path ...string) string {
	s, _ := r.At(path...).(string)
	return s
}

// SignIn returns a client with a fresh token.
func SignIn(t testing.TB, n *Node, user string) *Client {
	t.Helper()
	body, err := json.Marshal(map[string]string{"user": user, "name": user})
	if err != nil {
		t.Fatal(err)
	}
	response, err := n.HTTP.Post(n.URL+"/dev/token", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct{ Token string }
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || answer.Token == "" {
		t.Fatalf("sign-in of %s: status %d, %v", user, response.StatusCode, err)
	}
	return &Client{URL: n.URL, User: user, Token: answer.Token, HTTP: n.HTTP}
}

// On returns the same user as a client of another node.
func (c *Client) On(n *Node) *Client {
	other := *c
	other.URL, other.HTTP = n.URL, n.HTTP
	return &other
}

// Do asks by POST. Its error is the transport's; GraphQL errors are in the result.
func (c *Client) Do(ctx context.Context, op Operation) (Result, error) {
	body, err := json.Marshal(op)
	if err != nil {
		return Result{}, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL+"/graphql", bytes.NewReader(body))
	if err != nil {
		return Result{}, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	if c.Token != "" {
		r.Header.Set("Authorization", "Bearer "+c.Token)
	}
	response, err := c.HTTP.Do(r)
	if err != nil {
		return Result{}, err
	}
	defer response.Body.Close()
	var result Result
	if err := json.NewDecoder(response.Body).Decode(&result); err != nil {
		return Result{}, fmt.Errorf("status %d: %w", response.StatusCode, err)
	}
	return result, nil
}

// Must asks and fails the test on any error.
func (c *Client) Must(t testing.TB, query string, variables map[string]any) Result {
	t.Helper()
	result, err := c.Do(t.Context(), Operation{Query: query, Variables: variables})
	if err != nil || len(result.Errors) > 0 {
		t.Fatalf("%s: %v %+v", query, err, result.Errors)
	}
	return result
}

// CreateRoom creates a private group and returns its id.
func (c *Client) CreateRoom(t testing.TB, name string, members ...string) string {
	t.Helper()
	room := c.Must(t, `mutation($name: String) { createRoom(input: {name: $name}) { room { id } } }`,
		map[string]any{"name": name}).Text("createRoom", "room", "id")
	for _, member := range members {
		c.Must(t, `mutation($room: ID!, $user: ID!) { addMember(input: {roomId: $room, userId: $user}) { member { id } } }`,
			map[string]any{"room": room, "user": member})
	}
	return room
}

// CreatePublicRoom creates a public group and returns its id.
func (c *Client) CreatePublicRoom(t testing.TB, name string) string {
	t.Helper()
	return c.Must(t, `mutation($name: String) { createRoom(input: {name: $name, visibility: PUBLIC}) { room { id } } }`,
		map[string]any{"name": name}).Text("createRoom", "room", "id")
}

// SendQuery is the mutation that Send uses.
const SendQuery = `mutation Send($room: ID!, $content: String!, $key: String) {
  sendMessage(input: {roomId: $room, content: $content, clientId: $key}) { message { id seq content cursor } }
}`

// Send sends a message, with a key so that it may be sent again.
func (c *Client) Send(ctx context.Context, room, content, key string) (Result, error) {
	return c.Do(ctx, Operation{Query: SendQuery, Variables: map[string]any{"room": room, "content": content, "key": key}})
}

// MustSend sends a message and fails the test if that can't be done.
func (c *Client) MustSend(t testing.TB, room, content string) Result {
	t.Helper()
	result, err := c.Send(t.Context(), room, content, "")
	if err != nil || len(result.Errors) > 0 {
		t.Fatalf("sending: %v %+v", err, result.Errors)
	}
	return result
}
