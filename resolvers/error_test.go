package resolvers_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"parley/auth"
	"parley/chat"
	"parley/delivery"
	"parley/eventlog"
	"parley/presence"
	"parley/ratelimit"
	"parley/render"
	"parley/resolvers"
)

// TestErrorTable: what each error means, bare, wrapped and inside an error of GraphQL.
func TestErrorTable(t *testing.T) {
	tail := eventlog.Cursor{Kind: eventlog.CursorLog, Log: "r_1", Position: eventlog.Position{Epoch: 1, Offset: 2, Check: 3}}
	secret := errors.New("dial tcp 10.0.0.1: secret")
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"a code of the domain":      {chat.Errorf(chat.Conflict, "taken").InField("name"), `{"message":"taken","extensions":{"code":"CONFLICT","field":"name"}}`},
		"its cause":                 {&chat.Error{Code: chat.Unavailable, Message: "later", Cause: secret}, `{"message":"later","extensions":{"code":"UNAVAILABLE"}}`},
		"a rate":                    {&ratelimit.Exceeded{Name: "secret", RetryAfter: 1234567 * time.Microsecond}, `{"message":"too often: come back when retryAfter, in seconds, is over","extensions":{"code":"RATE_LIMITED","retryAfter":1.235}}`},
		"an internal one":           {&chat.Error{Code: chat.Internal, Message: "a list of tables", Cause: secret}, `{"message":"something went wrong on our side","extensions":{"code":"INTERNAL"}}`},
		"anything else":             {secret, `{"message":"something went wrong on our side","extensions":{"code":"INTERNAL"}}`},
		"anything else, by GraphQL": {gqlerror.Errorf("%v", secret), `{"message":"something went wrong on our side","extensions":{"code":"INTERNAL"}}`},
		"a code of nobody":          {&gqlerror.Error{Message: "secret", Extensions: map[string]any{"code": "SECRET"}}, `{"message":"something went wrong on our side","extensions":{"code":"INTERNAL"}}`},
		"a lost history":            {&delivery.ResetError{Reason: eventlog.HistoryLost, Tail: tail}, `{"message":"the history this subscription followed is gone: read a page and go on from there","extensions":{"code":"HISTORY_LOST","cursor":"` + tail.String() + `"}}`},
		"a lost log":                {&delivery.ResetError{Reason: eventlog.HistoryLost}, `{"message":"the history this subscription followed is gone: read a page and go on from there","extensions":{"code":"HISTORY_LOST"}}`},
		"the end of access":         {delivery.ErrAccessRevoked, `{"message":"you are no longer a member of this room","extensions":{"code":"FORBIDDEN"}}`},
		"the hub's end":             {delivery.ErrClosed, `{"message":"the server is going away; connect again","extensions":{"code":"UNAVAILABLE"}}`},
		"a bad cursor":              {eventlog.ErrBadCursor, `{"message":"not a valid cursor","extensions":{"code":"BAD_INPUT"}}`},
		"no log":                    {eventlog.ErrNoLog, `{"message":"no such room","extensions":{"code":"NOT_FOUND"}}`},
		"no store":                  {eventlog.ErrUnavailable, `{"message":"the store can't answer now; try again later","extensions":{"code":"UNAVAILABLE"}}`},
		"@defer":                    {render.ErrDefer, `{"message":"@defer isn't possible in a subscription","extensions":{"code":"BAD_INPUT"}}`},
		"several fields":            {render.ErrOneField, `{"message":"a subscription has exactly one field","extensions":{"code":"BAD_INPUT"}}`},
		"an old token":              {auth.ErrExpired, `{"message":"the token has expired","extensions":{"code":"UNAUTHENTICATED"}}`},
		"a bad token":               {auth.ErrBadToken, `{"message":"the token isn't valid","extensions":{"code":"UNAUTHENTICATED"}}`},
		"no token":                  {auth.ErrNoToken, `{"message":"sign in first: this needs a token","extensions":{"code":"UNAUTHENTICATED"}}`},
		"no time left":              {context.DeadlineExceeded, `{"message":"it took too long; try again later","extensions":{"code":"UNAVAILABLE"}}`},
		"given up":                  {context.Canceled, `{"message":"the request was given up","extensions":{"code":"UNAVAILABLE"}}`},
		"a transport's":             {&gqlerror.Error{Message: "@defer is not supported", Extensions: map[string]any{"code": "BAD_INPUT"}}, `{"message":"@defer is not supported","extensions":{"code":"BAD_INPUT"}}`},
		"too complex":               {&gqlerror.Error{Message: "too complex", Extensions: map[string]any{"code": "COMPLEXITY_LIMIT_EXCEEDED"}}, `{"message":"too complex","extensions":{"code":"LIMIT_EXCEEDED"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			log := &journal{}
			show := resolvers.PresentError(slog.New(slog.NewTextHandler(log, nil)))
			forms := []error{test.err}
			if _, ok := test.err.(*gqlerror.Error); !ok {
				forms = append(forms, fmt.Errorf("reading: %w", test.err), gqlerror.Wrap(test.err))
			}
			for _, err := range forms {
				shown := show(t.Context(), err)
				got, marshalErr := json.Marshal(shown)
				if marshalErr != nil || string(got) != test.want {
					t.Errorf("got %s, %v", got, marshalErr)
				}
				if !errors.Is(shown, test.err) {
					t.Error("whoever asks with errors.Is isn't told")
				}
			}
			internal := strings.Contains(test.want, "INTERNAL")
			if logged := strings.Count(log.String(), "\n"); logged != 0 && !internal || internal && logged != len(forms) {
				t.Errorf("logged %q", log.String())
			}
		})
	}
	t.Run("with its place", func(t *testing.T) {
		show := resolvers.PresentError(slog.New(slog.DiscardHandler))
		err := gqlerror.WrapPath(ast.Path{ast.PathName("a"), ast.PathIndex(1)}, chat.Errorf(chat.Conflict, "taken"))
		err.Locations = []gqlerror.Location{{Line: 2, Column: 3}}
		got, _ := json.Marshal(show(t.Context(), err))
		if string(got) != `{"message":"taken","path":["a",1],"locations":[{"line":2,"column":3}],"extensions":{"code":"CONFLICT"}}` {
			t.Errorf("got %s", got)
		}
	})
}

// words of libraries and of ours that no client should read.
var innards = []string{"strconv", "json", "map[", "interface", "reflect", "gqlgen", "parley", "runtime", "0x", "nil", "%!", "int64", "panic"}

type variables = map[string]any

// badRequest is a request and what comes of it.
type badRequest struct {
	query     string
	variables variables
	want      string
}

var huge = strings.Repeat("é", 50_000)

var badRequests = map[string]badRequest{
	"nothing":                      {"", nil, "!BAD_INPUT"},
	"syntax":                       {"{", nil, "!BAD_INPUT"},
	"a strange character":          {"{ \u0001 }", nil, "!BAD_INPUT"},
	"a strange escape":             {`{ room(id: "\x` + huge + `") { id } }`, nil, "!BAD_INPUT"},
	"an unfinished string":         {`{ room(id: "` + huge, nil, "!BAD_INPUT"},
	"too many tokens":              {"{" + strings.Repeat(" viewer { id }", 2000) + "}", nil, "!BAD_INPUT"},
	"only fragments":               {"fragment F on User { id }", nil, "!BAD_INPUT"},
	"no such field":                {"{ " + strings.Repeat("x", 50_000) + " }", nil, "!BAD_INPUT"},
	"no such argument":             {`{ room(id: "x", name: "y") { id } }`, nil, "!BAD_INPUT"},
	"no argument":                  {`{ room { id } }`, nil, "!BAD_INPUT"},
	"no selection":                 {`{ room(id: "x") }`, nil, "!BAD_INPUT"},
	"a selection too many":         {`{ viewer { id { x } } }`, nil, "!BAD_INPUT !BAD_INPUT"},
	"a literal of another type":    {`{ rooms(first: "` + huge + `") { edges { cursor } } }`, nil, "!BAD_INPUT"},
	"a literal too big":            {`{ rooms(first: 99999999999) { edges { cursor } } }`, nil, "null !BAD_INPUT at rooms in first"},
	"a literal much too big":       {`{ rooms(first: 99999999999999999999999) { edges { cursor } } }`, nil, "!BAD_INPUT"},
	"null where it can't be":       {`{ room(id: null) { id } }`, nil, "!BAD_INPUT"},
	"no such enum value":           {`mutation { createRoom(input: {type: NONE}) { room { id } } }`, nil, "!BAD_INPUT"},
	"no such input field":          {`mutation { createRoom(input: {nonsense: 1}) { room { id } } }`, nil, "!BAD_INPUT"},
	"an input field is missing":    {`mutation { joinRoom(input: {}) { room { id } } }`, nil, "!BAD_INPUT"},
	"a fragment in itself":         {`{ viewer { ...F } } fragment F on User { ...F }`, nil, "!BAD_INPUT"},
	"a fragment on another type":   {`{ viewer { ... on Room { id } } }`, nil, "!BAD_INPUT"},
	"fields that don't merge":      {`{ a: viewer { id } a: room(id: "x") { id } }`, nil, "!BAD_INPUT"},
	"no such directive":            {`{ viewer @nonsense { id } }`, nil, "!BAD_INPUT"},
	"no such variable":             {`{ room(id: $id) { id } }`, nil, "!BAD_INPUT"},
	"a variable too many":          {`query($id: ID) { viewer { id } }`, nil, "!BAD_INPUT"},
	"a variable of a strange type": {`query($id: Room) { viewer { id @skip(if: $id) } }`, nil, "!BAD_INPUT !BAD_INPUT"},
	"deep introspection":           {`{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }`, nil, "!BAD_INPUT"},

	"introspection in a fragment": {`{ ...F } fragment F on Query { s: __schema { queryType { name } } }`, nil, "!BAD_INPUT"},
	"introspection":               {`{ __schema { queryType { name } } }`, nil, "!BAD_INPUT"},
	"introspection of a type":     {`{ __type(name: "Query") { name } }`, nil, "!BAD_INPUT"},

	"no value":                    {`query($id: ID!) { room(id: $id) { id } }`, nil, "!BAD_INPUT in id"},
	"null":                        {`query($id: ID!) { room(id: $id) { id } }`, variables{"id": nil}, "!BAD_INPUT in id"},
	"a list":                      {`query($id: ID!) { room(id: $id) { id } }`, variables{"id": []any{"x"}}, "!BAD_INPUT in id"},
	"an object":                   {`query($id: ID!) { room(id: $id) { id } }`, variables{"id": variables{}}, "!BAD_INPUT in id"},
	"a fraction":                  {`query($n: Int) { rooms(first: $n) { edges { cursor } } }`, variables{"n": json.Number("1.5")}, "!BAD_INPUT in n"},
	"a huge number":               {`query($n: Int) { rooms(first: $n) { edges { cursor } } }`, variables{"n": json.Number(strings.Repeat("9", 1000))}, "!BAD_INPUT in n"},
	"a number in another form":    {`query($n: Int) { rooms(first: $n) { edges { cursor } } }`, variables{"n": json.Number("1e3")}, "!BAD_INPUT in n"},
	"a huge word for a number":    {`query($n: Int) { rooms(first: $n) { edges { cursor } } }`, variables{"n": huge}, "!BAD_INPUT in n"},
	"a default too big":           {`query($n: Int = 99999999999999999999999) { rooms(first: $n) { edges { cursor } } }`, nil, "!BAD_INPUT !BAD_INPUT"},
	"no object for an input":      {`mutation($i: CreateRoomInput!) { createRoom(input: $i) { room { id } } }`, variables{"i": "x"}, "!BAD_INPUT in i"},
	"a strange field of one":      {`mutation($i: CreateRoomInput!) { createRoom(input: $i) { room { id } } }`, variables{"i": variables{huge: 1}}, "!BAD_INPUT in " + huge[:200] + "…"},
	"a strange value of one":      {`mutation($i: CreateRoomInput!) { createRoom(input: $i) { room { id } } }`, variables{"i": variables{"name": variables{}}}, "!BAD_INPUT in name"},
	"a strange enum value":        {`mutation($i: CreateRoomInput!) { createRoom(input: $i) { room { id } } }`, variables{"i": variables{"type": huge}}, "!BAD_INPUT in type"},
	"an enum value in lower case": {`mutation($i: CreateRoomInput!) { createRoom(input: $i) { room { id } } }`, variables{"i": variables{"type": "group"}}, `{"createRoom":null} !BAD_INPUT at createRoom in type`},
	"null in a list":              {`query($ids: [ID!]!) { nodes(ids: $ids) { id } }`, variables{"ids": []any{"x", nil}}, "!BAD_INPUT in ids"},

	"a cursor that isn't one":           {`query($a: Cursor) { rooms(after: $a) { edges { cursor } } }`, variables{"a": huge}, "null !BAD_INPUT at rooms in after"},
	"a cursor that is an object":        {`query($a: Cursor) { rooms(after: $a) { edges { cursor } } }`, variables{"a": variables{}}, "null !BAD_INPUT at rooms in after"},
	"a cursor that is a literal":        {`{ rooms(after: 7) { edges { cursor } } }`, nil, "null !BAD_INPUT at rooms in after"},
	"a cursor too big for a number":     {`{ rooms(after: 99999999999999999999999) { edges { cursor } } }`, nil, "null !BAD_INPUT at rooms"},
	"a nested one":                      {`{ room(id: "{tea}") { messages(before: "junk") { cursor } } }`, nil, `{"room":null} !BAD_INPUT at room.messages in before`},
	"metadata with too big a number":    {`mutation { createRoom(input: {metadata: 99999999999999999999999}) { room { id } } }`, nil, "!BAD_INPUT"},
	"metadata with too big an exponent": {`mutation { createRoom(input: {metadata: [1e999]}) { room { id } } }`, nil, "!BAD_INPUT"},
	"a seq beyond all":                  {`mutation($n: Int!) { markRead(input: {roomId: "{tea}", seq: $n}) { member { id } } }`, variables{"n": json.Number("9223372036854775807")}, `{"markRead":null} !BAD_INPUT at markRead in seq`},

	"null for what has a default":         {`query($b: Boolean = true) { viewer { id @include(if: $b) } }`, variables{"b": nil}, "!BAD_INPUT in b"},
	"null for the root's":                 {`query($b: Boolean = true) { viewer @skip(if: $b) { id } }`, variables{"b": nil}, "!BAD_INPUT in b"},
	"null in a fragment":                  {`query($b: Boolean = true) { ...F } fragment F on Query { viewer { ... @skip(if: $b) { id } } }`, variables{"b": nil}, "!BAD_INPUT in b"},
	"null for an argument with a default": {`query($id: ID = "x") { room(id: $id) { id } }`, variables{"id": nil}, "!BAD_INPUT in id"},
	"null in an input with a default":     {`mutation($n: Int = 1) { markRead(input: {roomId: "{tea}", seq: $n}) { member { id } } }`, variables{"n": nil}, "!BAD_INPUT in n"},
}

// TestBadRequests: whatever is wrong with a request has a code, short words that say nothing internal,
// and leaves no trace in the log.
func TestBadRequests(t *testing.T) {
	w := tea(t)
	for name, test := range badRequests {
		t.Run(name, func(t *testing.T) {
			response := w.do(request{user: "ada", query: test.query, variables: test.variables})
			if got := w.outcome(response); got != test.want {
				t.Errorf("got  %.300s %v\nwant %.300s", got, response.Errors, test.want)
			}
			for _, e := range response.Errors {
				if len(e.Message) > 210 || !utf8.ValidString(e.Message) {
					t.Errorf("the message has %d bytes", len(e.Message))
				}
				for _, word := range innards {
					if strings.Contains(e.Message, word) {
						t.Errorf("the client reads %q: %s", word, e.Message)
					}
				}
			}
		})
	}
	if log := w.log.String(); log != "" {
		t.Errorf("logged: %.2000s", log)
	}
	t.Run("several operations", func(t *testing.T) {
		response := w.do(request{user: "ada", query: `query A { viewer { id } } query B { viewer { id } }`})
		if got := w.outcome(response); got != "!BAD_INPUT" {
			t.Errorf("got %s", got)
		}
	})
	t.Run("null where it is fine", func(t *testing.T) {
		response := w.do(request{user: "ada", query: `query($n: Int = 5) { rooms(first: $n) { edges { node { id } } } }`, variables: variables{"n": nil}})
		if len(response.Errors) > 0 {
			t.Errorf("got %v", response.Errors)
		}
	})
	t.Run("introspection where it is on", func(t *testing.T) {
		response := newWorld(t).introspected().do(request{query: `{ __schema { queryType { name } } }`})
		if len(response.Errors) > 0 {
			t.Errorf("got %v", response.Errors)
		}
	})
}

// TestBadSubscriptions: what opening refuses has its code too.
func TestBadSubscriptions(t *testing.T) {
	w := tea(t)
	for name, test := range map[string]struct{ query, want string }{
		"@defer":                 {`subscription { messageAdded(roomId: "{tea}") { id ... @defer { content } } }`, "!BAD_INPUT"},
		"skipped":                {`subscription { messageAdded(roomId: "{tea}") @skip(if: true) { id } }`, "!BAD_INPUT"},
		"two":                    {`subscription { a: messageAdded(roomId: "{tea}") { id } b: messageAdded(roomId: "{tea}") { id } }`, "!BAD_INPUT"},
		"__typename":             {`subscription { __typename }`, "!BAD_INPUT"},
		"an argument's type":     {`subscription { messageAdded(roomId: {a: 1}) { id } }`, "!BAD_INPUT"},
		"a cursor":               {`subscription { messageAdded(roomId: "{tea}", after: true) { id } }`, "!BAD_INPUT at messageAdded in after"},
		"a cursor beyond all":    {`subscription { messageAdded(roomId: "{tea}", after: 99999999999999999999) { id } }`, "!BAD_INPUT at messageAdded"},
		"nobody's introspection": {`subscription { __schema { types { name } } }`, "!BAD_INPUT !BAD_INPUT"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := w.opening(request{user: "bob", query: test.query}); got != test.want {
				t.Errorf("got %s", got)
			}
		})
	}
	if log := w.log.String(); log != "" {
		t.Errorf("logged: %.2000s", log)
	}
}

// brokenPresence is a presence store that fails in ways nobody foresaw.
type brokenPresence struct{ presence.Store }

func (brokenPresence) Presences(context.Context, []string) ([]presence.Presence, error) {
	return nil, errors.New("dial tcp 10.0.0.1: the secret")
}

func (brokenPresence) Typing(_ context.Context, room string) (presence.Typing, error) {
	panic("what was written in " + room)
}

// TestInternalErrors: our own faults are logged, without what people wrote, and not shown.
func TestInternalErrors(t *testing.T) {
	w := tea(t)
	w.resolver.Presence = brokenPresence{w.store}
	for query, want := range map[string]string{
		`{ presence(userIds: ["ada"]) { id } }`:                                                                         "null !INTERNAL at presence",
		`{ room(id: "{tea}") { id typing { id } } }`:                                                                    `{"room":null} !INTERNAL at room.typing`,
		`{ a: room(id: "{tea}") { typing { id } } b: room(id: "{tea}") { name } }`:                                      `{"a":null,"b":{"name":"Tea"}} !INTERNAL at a.typing`,
		`mutation { sendMessage(input: {roomId: "{tea}", content: "x"}) { edge { node { room { typing { id } } } } } }`: `{"sendMessage":null} !INTERNAL at sendMessage.edge.node.room.typing`,
	} {
		response := w.do(request{user: "ada", query: query})
		if got := w.outcome(response); got != want {
			t.Errorf("got %s", got)
		}
		if response.Errors[0].Message != "something went wrong on our side" {
			t.Errorf("the client reads %q", response.Errors[0].Message)
		}
	}
	log := w.log.String()
	if !strings.Contains(log, "the secret") || !strings.Contains(log, "fault=string") || !strings.Contains(log, "brokenPresence") || !strings.Contains(log, "path=room.typing") {
		t.Errorf("operators read\n%s", log)
	}
	if strings.Contains(log, "what was written") {
		t.Errorf("the log holds what a panic said:\n%s", log)
	}
}

// rootFields is a use of each root field that needs a token, and what its error leaves of the data.
var rootFields = map[string]string{
	`{ room(id: "{tea}") { id } }`:                                                               `{"room":null}`,
	`{ rooms { edges { cursor } } }`:                                                             `null`,
	`{ publicRooms { edges { cursor } } }`:                                                       `null`,
	`{ message(id: "{one}") { id } }`:                                                            `{"message":null}`,
	`{ node(id: "ada") { id } }`:                                                                 `{"node":null}`,
	`{ nodes(ids: ["{tea}"]) { id } }`:                                                           `null`,
	`{ presence(userIds: ["ada"]) { id } }`:                                                      `null`,
	`{ roomEvents(roomId: "{tea}") { cursor } }`:                                                 `null`,
	`mutation { createRoom(input: {}) { room { id } } }`:                                         `{"createRoom":null}`,
	`mutation { updateRoom(input: {roomId: "{tea}"}) { room { id } } }`:                          `{"updateRoom":null}`,
	`mutation { joinRoom(input: {roomId: "{tea}"}) { room { id } } }`:                            `{"joinRoom":null}`,
	`mutation { leaveRoom(input: {roomId: "{tea}"}) { room { id } } }`:                           `{"leaveRoom":null}`,
	`mutation { addMember(input: {roomId: "{tea}", userId: "x"}) { room { id } } }`:              `{"addMember":null}`,
	`mutation { removeMember(input: {roomId: "{tea}", userId: "x"}) { room { id } } }`:           `{"removeMember":null}`,
	`mutation { setRole(input: {roomId: "{tea}", userId: "x", role: ADMIN}) { member { id } } }`: `{"setRole":null}`,
	`mutation { sendMessage(input: {roomId: "{tea}", content: "x"}) { message { id } } }`:        `{"sendMessage":null}`,
	`mutation { editMessage(input: {messageId: "{one}", content: "x"}) { message { id } } }`:     `{"editMessage":null}`,
	`mutation { deleteMessage(input: {messageId: "{one}"}) { message { id } } }`:                 `{"deleteMessage":null}`,
	`mutation { markRead(input: {roomId: "{tea}", seq: 1}) { room { id } } }`:                    `{"markRead":null}`,
	`mutation { setTyping(input: {roomId: "{tea}", typing: true}) { expiresAt } }`:               `{"setTyping":null}`,
}

var rootName = regexp.MustCompile(`^(?:mutation )?\{ (\w+)`)

func (w *world) everyRootField(user, code string) {
	w.Helper()
	for query, data := range rootFields {
		want := fmt.Sprintf("%s !%s at %s", data, code, rootName.FindStringSubmatch(query)[1])
		if got := w.outcome(w.do(request{user: user, query: query})); got != want {
			w.Errorf("%s: got %s", query, got)
		}
	}
	for _, query := range []string{
		`subscription { messageAdded(roomId: "{tea}") { id } }`, `subscription { roomEvents(roomId: "{tea}") { at } }`,
		`subscription { typing(roomId: "{tea}") { users { id } } }`, `subscription { presence(roomId: "{tea}") { id } }`,
	} {
		if got := w.opening(request{user: user, query: query}); !strings.HasPrefix(got, "!"+code) {
			w.Errorf("%s: got %s", query, got)
		}
	}
	if log := w.log.String(); log != "" {
		w.Errorf("logged: %s", log)
	}
}

func TestNobodyIsSignedIn(t *testing.T) { tea(t).everyRootField("", "UNAUTHENTICATED") }

func TestUnavailableStore(t *testing.T) {
	w := tea(t)
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	w.everyRootField("ada", "UNAVAILABLE")
}
