package graphqlws_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"parley/transport"
	"parley/transport/graphqlws"
	"parley/transport/transporttest"
)

// The checklist of graphql-transport-ws, line by line: each subtest of a TestChecklist is one, with
// the close code where there is one. e2e/conformance asks from outside what can be asked from there.

const ticks = `subscription { ticks(log: "a") }`

func TestChecklistInit(t *testing.T) {
	rig := newRig(t, transport.Options{InitTimeout: 5 * time.Second})

	t.Run("init is acknowledged, with a payload", func(t *testing.T) {
		c := dial(t, rig, graphqlws.Subprotocol)
		c.send(initMessage(""))
		c.want(`{"type":"connection_ack","payload":{"heartbeatMillis":60000}}`)
	})
	t.Run("payload null is none", func(t *testing.T) { connect(t, rig, `null`) })
	t.Run("unknown members are ignored", func(t *testing.T) {
		c := dial(t, rig, graphqlws.Subprotocol)
		c.send(`{"type":"connection_init","id":7,"more":[1]}`)
		c.next()
	})
	t.Run("no common subprotocol is 4406", func(t *testing.T) {
		dial(t, rig).wantClose(4406)
		dial(t, rig, "graphql-ws").wantClose(4406)
	})
	t.Run("subprotocol negotiated among others", func(t *testing.T) {
		c := dial(t, rig, "graphql-ws", graphqlws.Subprotocol)
		if got := c.conn.Subprotocol(); got != graphqlws.Subprotocol {
			t.Fatalf("got %q", got)
		}
	})
	t.Run("second init is 4429", func(t *testing.T) {
		c := connect(t, rig, "")
		c.send(initMessage(""))
		c.wantClose(4429)
	})
	t.Run("rejected init is 4403", func(t *testing.T) {
		c := dial(t, rig, graphqlws.Subprotocol)
		c.send(initMessage(`{"viewer":"bad"}`))
		c.wantClose(4403)
	})
	t.Run("init that can't be judged now is 1013", func(t *testing.T) {
		c := dial(t, rig, graphqlws.Subprotocol)
		c.send(initMessage(`{"viewer":"later"}`))
		c.wantClose(1013)
	})
	t.Run("operation before ack is 4401", func(t *testing.T) {
		c := dial(t, rig, graphqlws.Subprotocol)
		c.subscribe("1", `{ hello }`)
		c.wantClose(4401)
	})
	t.Run("complete before ack is ignored", func(t *testing.T) {
		c := dial(t, rig, graphqlws.Subprotocol)
		c.complete("1")
		c.send(initMessage(""))
		c.next()
	})
	t.Run("ping before init is answered", func(t *testing.T) {
		c := dial(t, rig, graphqlws.Subprotocol)
		c.send(`{"type":"ping","payload":{"a":1}}`)
		c.want(`{"type":"pong","payload":{"a":1}}`)
		c.send(`{"type":"pong"}`)
		c.send(initMessage(""))
		c.next()
	})
	t.Run("init with a huge payload is 1009", func(t *testing.T) {
		c := dial(t, rig, graphqlws.Subprotocol)
		c.send(initMessage(`{"x":"` + strings.Repeat("y", 128<<10) + `"}`))
		c.wantClose(1009)
	})
	t.Run("the viewer of the payload runs operations", func(t *testing.T) {
		c := connect(t, rig, `{"viewer":"ada"}`)
		c.subscribe("1", `{ viewer }`)
		c.want(`{"type":"next","id":"1","payload":{"data":{"viewer":"ada"}}}`)
	})
}

func TestChecklistInitTimes(t *testing.T) {
	t.Run("no init in time is 4408", func(t *testing.T) {
		rig := newRig(t, transport.Options{InitTimeout: 50 * time.Millisecond})
		dial(t, rig, graphqlws.Subprotocol).wantClose(4408)
	})
	t.Run("a connection that is acknowledged stays", func(t *testing.T) {
		rig := newRig(t, transport.Options{InitTimeout: 100 * time.Millisecond, Heartbeat: 500 * time.Millisecond})
		connect(t, rig, "").answerPings(1)
	})

	judging := make(chan struct{})
	verdict := make(chan struct{})
	options := transport.Options{InitTimeout: time.Second, Authenticate: slowJudge(judging, verdict)}
	t.Run("second init while the first is judged is 4429", func(t *testing.T) {
		c := dial(t, newRig(t, options), graphqlws.Subprotocol)
		c.send(initMessage(""))
		<-judging
		c.send(initMessage(""))
		c.wantClose(4429)
	})
	t.Run("operation while init is judged is 4401", func(t *testing.T) {
		c := dial(t, newRig(t, options), graphqlws.Subprotocol)
		c.send(initMessage(""))
		<-judging
		c.wantNothing()
		c.subscribe("1", `{ hello }`)
		c.wantClose(4401)
	})
	t.Run("no 4408 while init is judged", func(t *testing.T) {
		c := dial(t, newRig(t, options), graphqlws.Subprotocol)
		c.send(initMessage(""))
		<-judging
		c.wantClose(1013)
	})
	t.Run("init that is judged slowly may succeed", func(t *testing.T) {
		c := dial(t, newRig(t, options), graphqlws.Subprotocol)
		c.send(initMessage(""))
		<-judging
		verdict <- struct{}{}
		c.next()
	})
}

func TestChecklistPing(t *testing.T) {
	rig := newRig(t, transport.Options{})
	c := connect(t, rig, "")
	for name, exchange := range map[string][2]string{
		"payload comes back":       {`{"type":"ping","payload":{"a":[1,"x"]}}`, `{"type":"pong","payload":{"a":[1,"x"]}}`},
		"without payload":          {`{"type":"ping"}`, `{"type":"pong"}`},
		"payload null is none":     {`{"type":"ping","payload":null}`, `{"type":"pong"}`},
		"unsolicited pong ignored": {`{"type":"pong","payload":{}}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c.send(exchange[0])
			if exchange[1] != "" {
				c.want(exchange[1])
			}
			c.wantNothing()
		})
	}
}

func TestChecklistBadMessages(t *testing.T) {
	rig := newRig(t, transport.Options{})
	subscribe := func(rest string) string { return `{"type":"subscribe",` + rest + `}` }
	for name, text := range map[string]string{
		"not JSON":                      `{"type":`,
		"nothing":                       ``,
		"array":                         `[{"type":"ping"}]`,
		"string":                        `"ping"`,
		"null":                          `null`,
		"two objects":                   `{"type":"ping"}{"type":"ping"}`,
		"no type":                       `{"id":"1"}`,
		"type in capitals":              `{"TYPE":"ping"}`,
		"type null":                     `{"type":null}`,
		"type not a string":             `{"type":1}`,
		"unknown type":                  `{"type":"start","id":"1","payload":{"query":"{ hello }"}}`,
		"a server's type":               `{"type":"next","id":"1","payload":{}}`,
		"ping's payload not an object":  `{"type":"ping","payload":"x"}`,
		"pong's payload an array":       `{"type":"pong","payload":[]}`,
		"subscribe without id":          subscribe(`"payload":{"query":"{ hello }"}`),
		"subscribe with empty id":       subscribe(`"id":"","payload":{"query":"{ hello }"}`),
		"subscribe with id null":        subscribe(`"id":null,"payload":{"query":"{ hello }"}`),
		"subscribe with numeric id":     subscribe(`"id":1,"payload":{"query":"{ hello }"}`),
		"subscribe with a huge id":      subscribe(`"id":"` + strings.Repeat("x", 129) + `","payload":{"query":"{ hello }"}`),
		"subscribe without payload":     subscribe(`"id":"1"`),
		"subscribe with payload null":   subscribe(`"id":"1","payload":null`),
		"subscribe with payload string": subscribe(`"id":"1","payload":"{ hello }"`),
		"subscribe with payload array":  subscribe(`"id":"1","payload":[]`),
		"query missing":                 subscribe(`"id":"1","payload":{}`),
		"query null":                    subscribe(`"id":"1","payload":{"query":null}`),
		"query not a string":            subscribe(`"id":"1","payload":{"query":{"a":1}}`),
		"operationName not a string":    subscribe(`"id":"1","payload":{"query":"{ hello }","operationName":1}`),
		"variables not an object":       subscribe(`"id":"1","payload":{"query":"{ hello }","variables":"x"}`),
		"variables an array":            subscribe(`"id":"1","payload":{"query":"{ hello }","variables":[]}`),
		"extensions not an object":      subscribe(`"id":"1","payload":{"query":"{ hello }","extensions":1}`),
		"complete without id":           `{"type":"complete"}`,
		"complete with empty id":        `{"type":"complete","id":""}`,
		"init payload a string":         `{"type":"connection_init","payload":"x"}`,
		"init payload an array":         `{"type":"connection_init","payload":[]}`,
		"init payload a number":         `{"type":"connection_init","payload":0}`,
	} {
		t.Run(name+" is 4400", func(t *testing.T) {
			c := connect(t, rig, "")
			c.send(text)
			c.wantClose(4400)
		})
	}
	for _, payload := range []string{`"x"`, `[]`, `0`, `true`} {
		t.Run("init with the payload "+payload+" is 4400, and the socket freed", func(t *testing.T) {
			c := dialRaw(t, rig)
			c.write(c.text(initMessage(payload)))
			c.wantClose(4400)
			_ = c.socket.Close()
			rig.WaitUntilIdle(t)
		})
	}
	t.Run("nothing after a bad message is handled", func(t *testing.T) {
		c := connect(t, rig, "")
		c.send(`{"type":"nonsense"}`)
		c.subscribe("1", `{ hello }`)
		c.wantClose(4400)
	})
}

func TestChecklistOperations(t *testing.T) {
	rig := newRig(t, transport.Options{MaxOperations: 3})

	t.Run("query: next, then complete", func(t *testing.T) {
		c := connect(t, rig, "")
		c.send(`{"type":"subscribe","id":"q","payload":{"query":"query A($n: String) { hello(name: $n) } query B { viewer }","operationName":"A","variables":{"n":"ada"},"extensions":null,"more":1}}`)
		c.want(`{"type":"next","id":"q","payload":{"data":{"hello":"hello ada"}}}`)
		c.want(`{"type":"complete","id":"q"}`)
	})
	t.Run("mutation: next, then complete", func(t *testing.T) {
		c := connect(t, rig, "")
		c.subscribe("m", `mutation { say(text: "x") }`)
		c.want(`{"type":"next","id":"m","payload":{"data":{"say":"x"}}}`)
		c.want(`{"type":"complete","id":"m"}`)
	})
	t.Run("errors of fields are a next", func(t *testing.T) {
		c := connect(t, rig, "")
		c.subscribe("f", `{ fail }`)
		c.want(`{"type":"next","id":"f","payload":{"errors":[{"message":"it failed","extensions":{"code":"INTERNAL"}}],"data":{"fail":null}}}`)
		c.want(`{"type":"complete","id":"f"}`)
	})
	t.Run("ids are echoed whatever they contain", func(t *testing.T) {
		c := connect(t, rig, "")
		for _, id := range []string{"1", `"\`, "é\u2028<>&", strings.Repeat("x", 128)} {
			c.subscribe(id, `{ hello }`)
			if m := c.next(); m.Type != "next" || m.ID != id {
				t.Fatalf("got %+v for %q", m, id)
			}
			if m := c.next(); m.Type != "complete" || m.ID != id {
				t.Fatalf("got %+v for %q", m, id)
			}
		}
	})
	for name, query := range map[string]string{
		"syntax error":          `{ hello`,
		"validation error":      `{ nothing }`,
		"empty query":           ``,
		"subscription invalid":  `subscription { ticks }`,
		"unknown cursor":        `subscription { ticks(log: "a", after: "x") }`,
		"@defer is not offered": `{ ... @defer { hello } }`,
	} {
		t.Run(name+": error, and no complete", func(t *testing.T) {
			c := connect(t, rig, "")
			c.subscribe("e", query)
			c.wantError("e", "BAD_INPUT")
			c.wantNothing()
			c.subscribe("e", `{ hello }`)
			c.wantNext("e")
		})
	}
	t.Run("subscription that can't be opened: error, and no complete", func(t *testing.T) {
		c := connect(t, rig, "")
		c.subscribe("e", `subscription { ticks(log: "missing") }`)
		c.wantError("e", "NOT_FOUND")
		c.wantNothing()
	})
	for name, query := range map[string]string{"query": `query Secretive { panic }`, "subscription": `subscription { panic }`} {
		t.Run("panic in a "+name+": INTERNAL, and the connection stays", func(t *testing.T) {
			c := connect(t, rig, "")
			c.subscribe("p", query)
			if m := c.next(); !strings.Contains(string(m.Payload), "INTERNAL") || strings.Contains(string(m.Payload), "secret") {
				t.Fatalf("got %s", m.Payload)
			}
			c.subscribe("q", `{ hello }`)
			for m := c.next(); m.ID != "q"; m = c.next() {
			}
		})
	}
	t.Run("too many: LIMIT_EXCEEDED, and those running go on", func(t *testing.T) {
		c := connect(t, rig, "")
		for _, id := range []string{"1", "2", "3"} {
			c.subscribe(id, `subscription { ticks(log: "many") }`)
		}
		c.subscribe("4", `{ hello }`)
		c.wantError("4", "LIMIT_EXCEEDED")
		c.complete("1")
		c.subscribe("4", `{ hello }`)
		c.wantNext("4")
	})
}

// A fault of ours is told as such, and nothing of what it was.
func TestChecklistFault(t *testing.T) {
	rig := newRig(t, transport.Options{Authenticate: func(context.Context, map[string]any) (context.Context, error) {
		panic("a secret")
	}})
	c := dial(t, rig, graphqlws.Subprotocol)
	c.send(initMessage(""))
	if reason := c.wantClose(4500); reason != transport.ReasonInternal.Text {
		t.Errorf("got the reason %q", reason)
	}
}

// A close frame has room for 123 bytes behind its code: a longer reason would break the frame, and
// one cut in the middle of a letter too.
func TestChecklistReasonsFit(t *testing.T) {
	rig := newRig(t, transport.Options{Authenticate: func(_ context.Context, payload map[string]any) (context.Context, error) {
		if payload != nil {
			return nil, errors.New(strings.Repeat("né ", 100))
		}
		return context.Background(), nil
	}})
	id := strings.Repeat("é", 64)
	for name, test := range map[string]struct {
		code     int
		provoke  func(c *client)
		contains string
	}{
		"of a long unknown type": {4400, func(c *client) { c.send(`{"type":"` + strings.Repeat("né ", 100) + `"}`) }, "Invalid message"},
		"of a long id": {4409, func(c *client) {
			c.send(initMessage(""))
			c.next()
			c.subscribe(id, ticks)
			c.subscribe(id, ticks)
		}, "Subscriber for é"},
		"of a long refusal": {4403, func(c *client) { c.send(initMessage(`{}`)) }, "né né"},
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, rig, graphqlws.Subprotocol)
			test.provoke(c)
			reason := c.wantClose(test.code)
			if len(reason) > 123 || !utf8.ValidString(reason) || !strings.Contains(reason, test.contains) {
				t.Errorf("got %d bytes: %q", len(reason), reason)
			}
		})
	}
}

func TestChecklistIDs(t *testing.T) {
	rig := newRig(t, transport.Options{})

	t.Run("in use by a subscription, asked for by a query, is 4409", func(t *testing.T) {
		c := connect(t, rig, "")
		c.subscribe("1", ticks)
		c.subscribe("1", `{ hello }`)
		c.wantClose(4409)
	})
	t.Run("in use by a query that runs is 4409", func(t *testing.T) {
		c := connect(t, rig, "")
		c.subscribe("1", `{ slow }`)
		<-rig.Began
		c.subscribe("1", `{ hello }`)
		c.wantClose(4409)
	})
	t.Run("in use by an operation that is still being prepared is 4409", func(t *testing.T) {
		raw := dialRaw(t, rig)
		raw.write(raw.text(initMessage("")))
		raw.readFrame()
		subscribe := raw.text(`{"type":"subscribe","id":"1","payload":{"query":"{ slow }"}}`)
		raw.write(append(subscribe, subscribe...))
		raw.wantClose(4409)
	})
	t.Run("free the moment complete is read", func(t *testing.T) {
		c := connect(t, rig, "")
		c.subscribe("1", `{ slow }`)
		<-rig.Began
		for range 100 {
			c.complete("1")
			c.subscribe("1", `subscription { ticks(log: "free") }`)
		}
		c.complete("1")
		c.subscribe("1", `{ hello }`)
		c.want(`{"type":"next","id":"1","payload":{"data":{"hello":"hello"}}}`)
		c.want(`{"type":"complete","id":"1"}`)
		c.wantNothing()
	})
	t.Run("free after the server's complete", func(t *testing.T) {
		c := connect(t, rig, "")
		for range 10 {
			c.subscribe("1", `{ hello }`)
			c.wantNext("1")
			c.want(`{"type":"complete","id":"1"}`)
		}
	})
	t.Run("nothing after the client's complete, not even an echo", func(t *testing.T) {
		c := connect(t, rig, "")
		c.subscribe("1", ticks)
		transporttest.Wait(t, "watched", func() bool { return rig.Logs.Watched() == 1 })
		c.complete("1")
		transporttest.Wait(t, "unwatched", func() bool { return rig.Logs.Watched() == 0 })
		rig.Tick("a", "x")
		c.wantNothing()
	})
	t.Run("nothing after the client's complete of a query that ends late", func(t *testing.T) {
		c := connect(t, rig, "")
		c.subscribe("1", `{ slow }`)
		<-rig.Began
		c.complete("1")
		c.wantNothing()
	})
	t.Run("unknown id in complete is ignored", func(t *testing.T) {
		c := connect(t, rig, "")
		c.complete("nobody")
		c.wantNothing()
	})
	t.Run("operations interleave: a query is answered while another runs", func(t *testing.T) {
		c := connect(t, rig, "")
		c.subscribe("slow", `{ slow }`)
		<-rig.Began
		c.subscribe("quick", `{ hello }`)
		c.wantNext("quick")
		c.want(`{"type":"complete","id":"quick"}`)
		rig.Finish <- struct{}{}
		c.wantNext("slow")
	})
}
