package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/coder/websocket"

	"parley/e2e/parleytest"
)

// attempt is one request in the forms that the wires need; a form left empty can't carry it.
type attempt struct {
	// body is JSON, or not, as POST and the payload of a WebSocket's subscribe carry it.
	body string
	// query is the URL's query string, as GET carries it.
	query string
	// token stands for nobody when empty.
	token string
	// header is added to HTTP requests, the handshake of a WebSocket among them.
	header http.Header
	// path is where to, /graphql if not said; but for GET, whose path is that and query.
	path string
}

// route is a way for one operation to the server and back: a column of the table.
type route struct {
	name string
	// want is which of a case's words is expected of it.
	want int
	send func(context.Context, *parleytest.Node, attempt) outcome
}

// outcome is what a client sees of an attempt: in a word or two, such as "200 ok", "400 BAD_INPUT"
// or "close 4400", and whole.
type outcome struct {
	word   string
	result parleytest.Result
	body   string
	// comeBack is the header Retry-After.
	comeBack string
}

var routes = []route{
	{"POST", 0, func(ctx context.Context, n *parleytest.Node, a attempt) outcome {
		return overHTTP(ctx, n, a, http.MethodPost, "application/graphql-response+json")
	}},
	{"GET", 1, func(ctx context.Context, n *parleytest.Node, a attempt) outcome {
		return overHTTP(ctx, n, a, http.MethodGet, "application/graphql-response+json")
	}},
	{"WebSocket", 2, func(ctx context.Context, n *parleytest.Node, a attempt) outcome {
		return overSocket(ctx, n, a, "graphql-transport-ws", "subscribe")
	}},
	{"SSE by POST", 3, func(ctx context.Context, n *parleytest.Node, a attempt) outcome {
		return overHTTP(ctx, n, a, http.MethodPost, "text/event-stream")
	}},
	{"SSE by GET", 4, func(ctx context.Context, n *parleytest.Node, a attempt) outcome {
		return overHTTP(ctx, n, a, http.MethodGet, "text/event-stream")
	}},
	{"multipart", 3, func(ctx context.Context, n *parleytest.Node, a attempt) outcome {
		return overHTTP(ctx, n, a, http.MethodPost, parleytest.AcceptMultipart)
	}},
	{"legacy", 2, func(ctx context.Context, n *parleytest.Node, a attempt) outcome {
		return overSocket(ctx, n, a, "graphql-ws", "start")
	}},
}

func routeNames() []string {
	names := make([]string, len(routes))
	for i, r := range routes {
		names[i] = r.name
	}
	return names
}

func unseen(err error) outcome { return outcome{word: "transport: " + err.Error()} }

// overHTTP makes an attempt by one request, whose answer is a document or a stream.
func overHTTP(ctx context.Context, n *parleytest.Node, a attempt, method, accept string) outcome {
	ctx, cancel := context.WithTimeout(ctx, parleytest.Patience)
	defer cancel()
	response, err := sendHTTP(ctx, n, a, method, accept)
	if err != nil {
		return unseen(err)
	}
	defer response.Body.Close()
	switch media, _, _ := strings.Cut(response.Header.Get("Content-Type"), ";"); media {
	case "text/event-stream":
		return firstOfStream(response)
	case "multipart/mixed":
		return firstOfParts(response)
	}
	return documentOf(response)
}

// documentOf reads an answer that is one document.
func documentOf(response *http.Response) outcome {
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return unseen(err)
	}
	o := outcome{body: string(body), comeBack: response.Header.Get("Retry-After")}
	if err := json.Unmarshal(body, &o.result); err != nil {
		o.word = fmt.Sprintf("%d without JSON", response.StatusCode)
		return o
	}
	o.word = fmt.Sprintf("%d %s", response.StatusCode, wordFor(o.result))
	return o
}

func sendHTTP(ctx context.Context, n *parleytest.Node, a attempt, method, accept string) (*http.Response, error) {
	url, body := n.URL+a.path, io.Reader(nil)
	if a.path == "" {
		url += "/graphql"
	}
	if method == http.MethodGet {
		url = n.URL + "/graphql?" + a.query
	} else {
		body = strings.NewReader(a.body)
	}
	r, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return nil, err
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("Accept", accept)
	if a.token != "" {
		r.Header.Set("Authorization", "Bearer "+a.token)
	}
	for name, values := range a.header {
		r.Header[name] = values
	}
	return http.DefaultClient.Do(r)
}

// firstOfStream reads an event stream up to its first result. One that tells of errors must be
// followed by complete, and that by the stream's end.
func firstOfStream(response *http.Response) outcome {
	in, o, seen := bufio.NewReader(response.Body), outcome{}, false
	for {
		event, data, err := nextEvent(in)
		switch {
		case errors.Is(err, io.EOF) && seen:
			return o
		case err != nil:
			return unseen(err)
		case event == "next" && !seen:
			o.body = data
			if err := json.Unmarshal([]byte(data), &o.result); err != nil {
				return unseen(err)
			}
			if o.word = wordFor(o.result); len(o.result.Errors) == 0 {
				return o
			}
			seen = true
		case event == "complete" && seen:
		case event != "":
			o.word += ", then " + event
			return o
		}
	}
}

// firstOfParts reads a multipart response up to its first result. One that tells of errors must be followed
// by the response's end.
func firstOfParts(response *http.Response) (o outcome) {
	next := parleytest.Parts(response)
	for {
		f, err := next()
		if err != nil {
			return unseen(err)
		}
		if f.Result.Data == nil && f.Result.Errors == nil {
			continue // a position
		}
		body, err := json.Marshal(f.Result)
		if err != nil {
			return unseen(err)
		}
		o = outcome{word: wordFor(f.Result), result: f.Result, body: string(body)}
		if len(f.Result.Errors) == 0 {
			return o
		}
		if _, err := next(); !errors.Is(err, io.EOF) {
			o.word += ", then more"
		}
		return o
	}
}

// nextEvent reads one block of an event stream.
func nextEvent(in *bufio.Reader) (event, data string, err error) {
	for {
		line, err := in.ReadString('\n')
		if err != nil || line == "\n" {
			return event, data, err
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		switch value = strings.TrimPrefix(value, " "); name {
		case "event":
			event = value
		case "data":
			data += value
		}
	}
}

// overSocket makes an attempt by a WebSocket of its own, in one of the subprotocols.
func overSocket(ctx context.Context, n *parleytest.Node, a attempt, subprotocol, start string) outcome {
	ctx, cancel := context.WithTimeout(ctx, parleytest.Patience)
	defer cancel()
	s, err := dialSocket(ctx, n, a.path, a.header, subprotocol)
	if refused, ok := errors.AsType[handshakeRefused](err); ok {
		return outcome(refused)
	}
	if err != nil {
		return unseen(err)
	}
	defer s.CloseNow()
	s.say(initWith(a.token))
	if word := s.hear("connection_ack"); word != "" {
		return outcome{word: word}
	}
	s.say(`{"type":"` + start + `","id":"1","payload":` + a.body + `}`)
	return s.outcome()
}

// initWith is the message that opens a connection.
func initWith(token string) string {
	if token == "" {
		return `{"type":"connection_init"}`
	}
	return fmt.Sprintf(`{"type":"connection_init","payload":{"Authorization":"Bearer %s"}}`, token)
}

// socket is a WebSocket that says whatever it is told to, and hears what comes. It answers no
// pings but those of RFC 6455.
type socket struct {
	*websocket.Conn
	ctx context.Context
	// positions are the cursors told by pings, by operation.
	positions map[string]string
	// heard waits to be returned by next.
	heard []message
}

// handshakeRefused is what was answered in place of a WebSocket.
type handshakeRefused outcome

func (o handshakeRefused) Error() string { return "the handshake was answered " + o.word }

// dialSocket opens a WebSocket. Header is that of the handshake; without a subprotocol it offers the usual one.
func dialSocket(ctx context.Context, n *parleytest.Node, path string, header http.Header, subprotocols ...string) (*socket, error) {
	if path == "" {
		path = "/graphql"
	}
	if subprotocols == nil {
		subprotocols = []string{"graphql-transport-ws"}
	}
	conn, response, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(n.URL, "http")+path,
		&websocket.DialOptions{Subprotocols: subprotocols, HTTPHeader: header})
	switch {
	case err != nil && response != nil:
		return nil, handshakeRefused(documentOf(response))
	case err != nil:
		return nil, err
	}
	conn.SetReadLimit(1 << 22)
	return &socket{Conn: conn, ctx: ctx, positions: map[string]string{}}, nil
}

// say sends a text message, whatever it is. That it can't be sent shows when listening.
func (s *socket) say(text string) { _ = s.Write(s.ctx, websocket.MessageText, []byte(text)) }

// message is a message of the server.
type message struct {
	Type    string          `json:"type"`
	ID      string          `json:"id"`
	Payload json.RawMessage `json:"payload"`
}

// next returns the next message that isn't a sign of life, or the word for the socket's end.
func (s *socket) next() (m message, end string) {
	for len(s.heard) == 0 {
		if end := s.read(); end != "" {
			return m, end
		}
	}
	m, s.heard = s.heard[0], s.heard[1:]
	return m, ""
}

// read reads one message; the word for the end, if it is that.
func (s *socket) read() (end string) {
	_, text, err := s.Read(s.ctx)
	if err != nil {
		return wordForEnd(err)
	}
	var m message
	if err := json.Unmarshal(text, &m); err != nil {
		return "not JSON"
	}
	switch m.Type {
	case "ping", "ka": // with positions, perhaps
	case "connection_error": // the close says it again
		return ""
	default:
		s.heard = append(s.heard, m)
		return ""
	}
	var told struct{ Cursors map[string]string }
	if m.Payload != nil && json.Unmarshal(m.Payload, &told) != nil {
		return "a ping that isn't understood"
	}
	maps.Copy(s.positions, told.Cursors)
	return ""
}

// until reads on until so many operations have told where they stand; the word for the end, if
// that comes first.
func (s *socket) until(positions int) (end string) {
	for end == "" && len(s.positions) < positions {
		end = s.read()
	}
	return end
}

// hear waits for a message of a type; the word for what came instead.
func (s *socket) hear(kind string) (instead string) {
	m, end := s.next()
	if end == "" && m.Type != kind {
		end = m.Type
	}
	return end
}

// outcome reads the first result of the operation "1".
func (s *socket) outcome() (o outcome) {
	m, end := s.next()
	if end != "" {
		return outcome{word: end}
	}
	o.body = string(m.Payload)
	var err error
	switch m.Type {
	case "next", "data":
		err = json.Unmarshal(m.Payload, &o.result)
	case "error":
		if bytes.HasPrefix(m.Payload, []byte("{")) { // the legacy protocol's, of one
			m.Payload = slices.Concat([]byte("["), m.Payload, []byte("]"))
		}
		err = json.Unmarshal(m.Payload, &o.result.Errors)
	default:
		return outcome{word: m.Type}
	}
	if err != nil || m.ID != "1" {
		return outcome{word: "another operation's " + m.Type}
	}
	o.word = wordFor(o.result)
	return o
}

// wordForEnd is "close CODE" for a close frame, else what was felt of the end.
func wordForEnd(err error) string {
	if code := websocket.CloseStatus(err); code != -1 {
		return fmt.Sprintf("close %d", code)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "silence"
	}
	return "cut"
}

// wordFor names a GraphQL response: the code of its first error, or what kind of answer it is.
func wordFor(r parleytest.Result) string {
	var data map[string]any
	_ = json.Unmarshal(r.Data, &data) // null is nothing, as no data is
	empty := true
	for _, value := range data {
		empty = empty && value == nil
	}
	switch reset, _ := r.At("roomEvents", "reset").(bool); {
	case len(r.Errors) > 0 && r.Code() == "":
		return "an error without code"
	case len(r.Errors) > 0:
		return r.Code()
	case reset:
		return "reset"
	case r.Text("roomEvents", "__typename") == "RoomReset":
		return "RoomReset"
	case empty:
		return "null"
	}
	return "ok"
}

// linger is how long a test gives the server to do what it shouldn't.
const linger = 200 * time.Millisecond

// asResult is the GraphQL response in a body, empty if there is none.
func asResult(body []byte) (r parleytest.Result) {
	_ = json.Unmarshal(body, &r)
	return r
}
