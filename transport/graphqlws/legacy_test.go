package graphqlws_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"parley/transport"
	"parley/transport/graphqlws"
	"parley/transport/transporttest"
)

// The checklist of the subprotocol graphql-ws, line by line, as subscriptions-transport-ws has it.

func constructLegacy(s *transport.Service) graphql.Transport {
	return graphqlws.Transport{Service: s, Legacy: true}
}

func newLegacyRig(t testing.TB, options transport.Options) *transporttest.Rig {
	t.Helper()
	return transporttest.NewRig(t, options, constructLegacy)
}

// connectLegacy dials, and initialises with a payload.
func connectLegacy(t testing.TB, rig *transporttest.Rig, payload string) *client {
	t.Helper()
	c := dial(t, rig, graphqlws.LegacySubprotocol)
	c.send(initMessage(payload))
	c.want(`{"type":"connection_ack"}`)
	return c
}

func startMessage(id, query string) string {
	payload, _ := json.Marshal(map[string]string{"query": query}) // strings always marshal
	return `{"type":"start","id":"` + id + `","payload":` + string(payload) + `}`
}

func stopMessage(id string) string { return `{"type":"stop","id":"` + id + `"}` }

// wantSettled proves by a query that nothing else comes before its answer.
func (c *client) wantSettled() {
	c.t.Helper()
	c.send(startMessage("settled", `{ hello }`))
	c.want(`{"type":"data","id":"settled","payload":{"data":{"hello":"hello"}}}`)
	c.want(`{"type":"complete","id":"settled"}`)
}

func TestChecklistLegacyInit(t *testing.T) {
	rig := newLegacyRig(t, transport.Options{InitTimeout: 5 * time.Second})
	t.Run("it isn't spoken unless that is wanted", func(t *testing.T) {
		dial(t, newRig(t, transport.Options{}), graphqlws.LegacySubprotocol).wantClose(4406)
	})
	t.Run("it isn't spoken without its name", func(t *testing.T) { dial(t, rig).wantClose(4406) })
	t.Run("its successor is spoken beside it", func(t *testing.T) {
		connect(t, rig, "").wantNothing()
		c := dial(t, rig, graphqlws.Subprotocol, graphqlws.LegacySubprotocol)
		if got := c.conn.Subprotocol(); got != graphqlws.Subprotocol {
			t.Errorf("got %q", got)
		}
	})
	t.Run("init is acknowledged, and a sign of life follows", func(t *testing.T) {
		c := dial(t, rig, graphqlws.LegacySubprotocol)
		c.send(initMessage(`{}`))
		c.want(`{"type":"connection_ack"}`)
		if m, err := c.readAny(); err != nil || m.Type != "ka" || m.Payload != nil {
			t.Errorf("got %+v, %v", m, err)
		}
	})
	t.Run("operations right behind the init wait for it", func(t *testing.T) {
		c := dial(t, rig, graphqlws.LegacySubprotocol)
		c.send(initMessage(`{"viewer":"ada"}`))
		c.send(startMessage("1", `{ viewer }`))
		c.want(`{"type":"connection_ack"}`)
		c.want(`{"type":"data","id":"1","payload":{"data":{"viewer":"ada"}}}`)
	})
	t.Run("a rejected init is told, and is 4403", func(t *testing.T) {
		c := dial(t, rig, graphqlws.LegacySubprotocol)
		c.send(initMessage(`{"viewer":"bad"}`))
		c.want(`{"type":"connection_error","payload":{"message":"the token is refused","extensions":{"code":"UNAUTHENTICATED"}}}`)
		c.wantClose(4403)
	})
	t.Run("an init that can't be judged now is 1013", func(t *testing.T) {
		c := dial(t, rig, graphqlws.LegacySubprotocol)
		c.send(initMessage(`{"viewer":"later"}`))
		c.wantClose(1013)
	})
	t.Run("a second init is 4429", func(t *testing.T) {
		c := connectLegacy(t, rig, "")
		c.send(initMessage(""))
		c.wantClose(4429)
	})
	t.Run("an operation without init is 4401", func(t *testing.T) {
		c := dial(t, rig, graphqlws.LegacySubprotocol)
		c.send(startMessage("1", `{ hello }`))
		c.wantClose(4401)
	})
	t.Run("no init in time is 4408", func(t *testing.T) {
		rig := newLegacyRig(t, transport.Options{InitTimeout: 50 * time.Millisecond})
		dial(t, rig, graphqlws.LegacySubprotocol).wantClose(4408)
	})
	t.Run("an init that is judged for too long is 1013", func(t *testing.T) {
		judging := make(chan struct{}, 1)
		rig := newLegacyRig(t, transport.Options{InitTimeout: 50 * time.Millisecond, Authenticate: slowJudge(judging, nil)})
		c := dial(t, rig, graphqlws.LegacySubprotocol)
		c.send(initMessage(""))
		c.send(startMessage("1", `{ hello }`))
		c.wantClose(1013)
	})
	t.Run("who goes while the init is judged leaves nothing behind", func(t *testing.T) {
		judging := make(chan struct{})
		rig := newLegacyRig(t, transport.Options{InitTimeout: time.Second, Authenticate: slowJudge(judging, nil)})
		c := dial(t, rig, graphqlws.LegacySubprotocol)
		c.send(initMessage(""))
		<-judging
		_ = c.conn.CloseNow()
		rig.WaitUntilIdle(t)
	})
}

func TestChecklistLegacyOperations(t *testing.T) {
	rig := newLegacyRig(t, transport.Options{})
	t.Run("subscription: data, until it is stopped, without an echo", func(t *testing.T) {
		c := connectLegacy(t, rig, "")
		c.send(startMessage("1", ticks))
		transporttest.Wait(t, "watched", func() bool { return rig.Logs.Watched() == 1 })
		cursor := rig.Tick("a", "x")
		c.want(`{"type":"data","id":"1","payload":{"data":{"ticks":"x"},"extensions":{"cursor":"` + cursor + `"}}}`)
		c.send(stopMessage("1"))
		transporttest.Wait(t, "unwatched", func() bool { return rig.Logs.Watched() == 0 })
		c.wantSettled()
	})
	t.Run("query: data, complete", func(t *testing.T) { connectLegacy(t, rig, "").wantSettled() })
	t.Run("mutation: data, complete", func(t *testing.T) {
		c := connectLegacy(t, rig, "")
		c.send(startMessage("1", `mutation { say(text: "x") }`))
		c.want(`{"type":"data","id":"1","payload":{"data":{"say":"x"}}}`)
		c.want(`{"type":"complete","id":"1"}`)
	})
	t.Run("an operation that fails: one error, no complete", func(t *testing.T) {
		c := connectLegacy(t, rig, "")
		for query, code := range map[string]string{
			`{`: "BAD_INPUT", `{ nothing }`: "BAD_INPUT", `subscription { ticks(log: "missing") }`: "NOT_FOUND",
		} {
			c.send(startMessage("1", query))
			if m := c.next(); m.Type != "error" || m.ID != "1" || legacyCode(t, m.Payload) != code {
				t.Errorf("%s: got %s", query, encode(t, m))
			}
			c.wantSettled()
		}
	})
	t.Run("errors of fields are data", func(t *testing.T) {
		c := connectLegacy(t, rig, "")
		c.send(startMessage("1", `{ fail }`))
		if m := c.next(); m.Type != "data" || m.ID != "1" {
			t.Errorf("got %s", encode(t, m))
		}
		c.want(`{"type":"complete","id":"1"}`)
	})
	t.Run("an id that is in use begins anew", func(t *testing.T) {
		c := connectLegacy(t, rig, "")
		for range 20 {
			c.send(startMessage("1", ticks))
		}
		transporttest.Wait(t, "one is watched", func() bool {
			c.wantSettled() // and reads the position on the way
			return rig.Logs.Watched() == 1 && c.positions["1"] != ""
		})
		rig.Tick("a", "once")
		if m := c.next(); m.Type != "data" {
			t.Errorf("got %s", encode(t, m))
		}
		c.wantSettled()
	})
	t.Run("an unknown id is stopped without a word", func(t *testing.T) {
		c := connectLegacy(t, rig, "")
		c.send(stopMessage("nobody"))
		c.wantSettled()
	})
	t.Run("who terminates is closed", func(t *testing.T) {
		c := connectLegacy(t, rig, "")
		c.send(startMessage("1", ticks))
		c.send(`{"type":"connection_terminate","payload":null}`)
		c.wantClose(1000)
	})
}

func TestChecklistLegacyNonsense(t *testing.T) {
	rig := newLegacyRig(t, transport.Options{})
	for name, text := range map[string]string{
		"not JSON": `x`, "not an object": `[]`, "no type": `{}`, "an unknown type": `{"type":"data"}`, "a message of the successor": `{"type":"subscribe","id":"1"}`,
		"start without id": `{"type":"start","payload":{"query":"{ hello }"}}`, "start without payload": `{"type":"start","id":"1"}`,
		"start without query": `{"type":"start","id":"1","payload":{}}`, "stop without id": `{"type":"stop"}`, "an init that isn't an object": `{"type":"connection_init","payload":"x"}`,
	} {
		t.Run(name+" is told, and is 4400", func(t *testing.T) {
			c := dial(t, rig, graphqlws.LegacySubprotocol)
			c.send(text)
			if m := c.next(); m.Type != "connection_error" {
				t.Errorf("got %s", encode(t, m))
			}
			c.wantClose(4400)
		})
	}
}

func TestChecklistLegacyHeartbeat(t *testing.T) {
	rig := newLegacyRig(t, transport.Options{Heartbeat: 500 * time.Millisecond})
	c := connectLegacy(t, rig, "")
	for range 3 {
		if m, err := c.readAny(); err != nil || m.Type != "ka" {
			t.Fatalf("got %+v, %v", m, err)
		}
	}
	if c.pings.Load() == 0 {
		t.Error("the WebSocket isn't pinged")
	}
}

// legacyCode returns extensions.code of an error.
func legacyCode(t testing.TB, payload []byte) string {
	t.Helper()
	var one struct {
		Message    string
		Extensions struct{ Code string }
	}
	if err := json.Unmarshal(payload, &one); err != nil || one.Message == "" {
		t.Fatalf("no error: %s, %v", payload, err)
	}
	return one.Extensions.Code
}
