package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/golang-jwt/jwt/v5"

	"parley/e2e/parleytest"
	"parley/store/redis/redistest"
)

// twoNodes are two nodes with a secret on one Redis.
func twoNodes(t *testing.T) []*parleytest.Node {
	t.Helper()
	url := redistest.Start(t).URL
	return []*parleytest.Node{
		startHostile(t, map[string]string{"PARLEY_REDIS_URL": url, "PARLEY_LOG_LEVEL": "INFO"}),
		startHostile(t, map[string]string{"PARLEY_REDIS_URL": url, "PARLEY_LOG_LEVEL": "INFO"}),
	}
}

// leeway is what tokens are granted beyond their exp claim.
const leeway = 5 * time.Second

// revoke takes back tokens by the admin address of a node.
func revoke(t testing.TB, node *parleytest.Node, what map[string]string) {
	body, err := json.Marshal(what)
	if err != nil {
		t.Error(err)
		return
	}
	response, err := http.Post(node.Admin+"/revocations", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Error(err)
		return
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("revoking answers %d", response.StatusCode)
	}
}

// metronome sends a number to a room again and again, and remembers when it did.
type metronome struct {
	mu   sync.Mutex
	sent []time.Time
}

func (m *metronome) run(ctx context.Context, c *parleytest.Client, room string) error {
	for n := 0; ctx.Err() == nil; n++ {
		m.mu.Lock()
		m.sent = append(m.sent, time.Now())
		m.mu.Unlock()
		result, err := c.Send(context.WithoutCancel(ctx), room, strconv.Itoa(n), "")
		if err != nil || len(result.Errors) > 0 {
			return fmt.Errorf("sending %d: %w %+v", n, err, result.Errors)
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

func (m *metronome) at(n int) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sent[n]
}

// listener is a stream whose right ends at a moment that is known later.
type listener struct {
	client *parleytest.Client
	jti    string
	stream *parleytest.Stream
	// bound is after when nothing that was sent may be heard.
	bound time.Time
	heard []int
	ended time.Time
	why   string
}

// listen opens the listener's stream, over WebSocket and SSE by turns.
func (l *listener) listen(t testing.TB, i int, room string) {
	subscribe := parleytest.OverWS
	if i%2 == 1 {
		subscribe = parleytest.OverSSE
	}
	if _, err := l.client.Do(t.Context(), parleytest.Operation{
		Query: `mutation($r: ID!) { joinRoom(input: {roomId: $r}) { room { id } } }`, Variables: map[string]any{"r": room},
	}); err != nil {
		t.Error(err)
		return
	}
	var err error
	if l.stream, err = subscribe(context.Background(), l.client, follow(messageAdded, room, "")); err != nil {
		t.Errorf("listener %d: %v", i, err)
	}
}

// take hears until the stream ends.
func (l *listener) take() {
	for f := range l.stream.Frames {
		if f.Result.Data != nil {
			n, _ := strconv.Atoi(f.Result.Text("messageAdded", "content"))
			l.heard = append(l.heard, n)
		}
		if code := f.Result.Code(); code != "" {
			l.why = code
		} else if f.Err != nil {
			l.why = fmt.Sprint(websocket.CloseStatus(f.Err))
		}
		if f.End {
			l.ended = time.Now()
		}
	}
}

func (l *listener) check(t *testing.T, name string, m *metronome) {
	t.Helper()
	if l.why != "UNAUTHENTICATED" && l.why != fmt.Sprint(websocket.StatusCode(4403)) {
		t.Errorf("%s ended by %q", name, l.why)
	}
	for i, n := range l.heard {
		if late := m.at(n).Sub(l.bound); late > 0 {
			t.Errorf("%s heard what was sent %v too late", name, late)
			return
		}
		if i > 0 && n != l.heard[i-1]+1 {
			t.Errorf("%s heard %d after %d", name, n, l.heard[i-1])
			return
		}
	}
}

// TestIdentityEnds: tokens are revoked, by user and by id, and expire, all under traffic at two
// nodes. Nobody hears what was sent more than a second after the revocation was acknowledged, or
// after the token's end; those beside them miss nothing.
func TestIdentityEnds(t *testing.T) {
	t.Parallel()
	nodes := twoNodes(t)
	owner := person(t, nodes[0], "owner")
	room := owner.Must(t, `mutation { createRoom(input: {name: "Hall", type: CHANNEL, visibility: PUBLIC}) { room { id } } }`, nil).
		Text("createRoom", "room", "id")
	bystanders := make([]*listener, 8)
	for i := range bystanders {
		bystanders[i] = &listener{client: person(t, nodes[i/2%2], fmt.Sprint("bystander-", i))}
		bystanders[i].listen(t, i, room)
		bystanders[i].stream.Position(t)
	}
	var m metronome
	ctx, stop := context.WithCancel(t.Context())
	sending := make(chan error, 1)
	go func() { sending <- m.run(ctx, owner, room) }()

	n, size := parleytest.Scale(100, 10000), parleytest.Scale(50, 250)
	begin := time.Now()
	var slowest time.Duration
	for done := 0; done < n && !t.Failed(); done += size {
		slowest = max(slowest, endBatch(t, nodes, room, &m, done, size))
	}
	took := time.Since(begin)
	stop()
	if err := <-sending; err != nil {
		t.Error(err)
	}
	checkBystanders(t, bystanders, &m)
	ended := nodes[0].Metric(t, "parley_revoked_connections_total") + nodes[1].Metric(t, "parley_revoked_connections_total")
	if !t.Failed() && int(ended) != n {
		t.Errorf("%.0f connections ended by %d revocations", ended, n)
	}
	t.Logf("%d revocations and %d expiries in %v, %d messages; the slowest stream ended %v after its revocation",
		n, n, took.Round(time.Second), len(m.sent), slowest.Round(time.Millisecond))
}

// endBatch opens streams of tokens, half of which it revokes, and half of which expire.
func endBatch(t *testing.T, nodes []*parleytest.Node, room string, m *metronome, batch, size int) (slowest time.Duration) {
	life := time.Duration(parleytest.Scale(15, 30)) * time.Second
	expires := time.Now().Add(life).Truncate(time.Second)
	revoked, expiring := make([]*listener, size), make([]*listener, size)
	inParallel(size, func(i int) {
		for kind, list := range map[string][]*listener{"revoked": revoked, "expiring": expiring} {
			l := &listener{jti: fmt.Sprintf("jti-%s-%d-%d", kind, batch, i)}
			l.client = person(t, nodes[i/2%2], fmt.Sprintf("%s-%d-%d", kind, batch, i))
			claims := claimsOf(l.client.User)
			claims["jti"], claims["iat"] = l.jti, time.Now().Unix()
			if kind == "expiring" {
				claims["exp"], l.bound = expires.Unix(), expires.Add(leeway)
			}
			l.client.Token = signed(t, jwt.SigningMethodHS256, []byte(hostileSecret), claims)
			l.listen(t, i, room)
			list[i] = l
		}
	})
	if t.Failed() {
		return 0
	}
	var hearing sync.WaitGroup
	for _, l := range append(revoked[:size:size], expiring...) {
		hearing.Go(l.take)
	}
	revokedAt := make([]time.Time, size)
	inParallel(size, func(i int) {
		what := map[string]string{"user": revoked[i].client.User}
		if i%2 == 0 {
			what = map[string]string{"token": revoked[i].jti}
		}
		revoke(t, nodes[i%2], what)
		revokedAt[i] = time.Now()
	})
	over := time.AfterFunc(time.Until(expires.Add(leeway+parleytest.Patience)), func() {
		t.Error("streams whose tokens have ended are still open")
		for _, l := range append(revoked[:size:size], expiring...) {
			l.stream.Close()
		}
	})
	hearing.Wait()
	over.Stop()
	first, last := expiring[0].ended, expiring[0].ended
	for i := range size {
		revoked[i].bound = revokedAt[i].Add(time.Second)
		revoked[i].check(t, fmt.Sprint("revoked ", batch+i), m)
		expiring[i].check(t, fmt.Sprint("expiring ", batch+i), m)
		slowest = max(slowest, revoked[i].ended.Sub(revokedAt[i]))
		if expiring[i].ended.Before(first) {
			first = expiring[i].ended
		} else if expiring[i].ended.After(last) {
			last = expiring[i].ended
		}
	}
	if last.Sub(first) < 2*time.Second {
		t.Errorf("%d expiries within %v", size, last.Sub(first))
	}
	for _, l := range []*listener{revoked[0], revoked[1]} { // by its id, by its user
		for _, node := range nodes {
			if result, err := l.client.On(node).Do(t.Context(), parleytest.Operation{Query: harmless}); err != nil || result.Code() != "UNAUTHENTICATED" {
				t.Errorf("a revoked token is answered %+v, %v", result, err)
			}
		}
	}
	return slowest
}

func checkBystanders(t *testing.T, bystanders []*listener, m *metronome) {
	t.Helper()
	for i, l := range bystanders {
		for n := range m.sent {
			f := l.stream.Next(t)
			if got := f.Result.Text("messageAdded", "content"); got != strconv.Itoa(n) {
				t.Errorf("bystander %d: %q (%+v) instead of %d", i, got, f, n)
				break
			}
		}
		l.stream.Close()
	}
}

// inParallel calls f for 0 to n-1, a few at a time.
func inParallel(n int, f func(int)) {
	var all sync.WaitGroup
	slots := make(chan struct{}, 16)
	for i := range n {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			f(i)
		})
	}
	all.Wait()
}

// briefly is the life of the tokens that are refreshed.
const briefly = 3 * time.Second

// tokenNamed signs a token of a user with a name.
func tokenNamed(t *testing.T, user, name string, life time.Duration) string {
	t.Helper()
	return signed(t, jwt.SigningMethodHS256, []byte(hostileSecret), jwt.MapClaims{"sub": user, "name": name, "exp": time.Now().Add(life).Unix()})
}

// refreshWith is the operation that refreshes a session.
func refreshWith(token string) string {
	return fmt.Sprintf(`{"type":"subscribe","id":"r","payload":{"query":"mutation { refreshSession(input: {token: %s}) { expiresAt } }"}}`,
		strings.ReplaceAll(strconv.Quote(token), `"`, `\"`))
}

func pongWith(token string) string {
	return fmt.Sprintf(`{"type":"pong","payload":{"Authorization":"Bearer %s"}}`, token)
}

// session is a WebSocket of ada's, whose token lives briefly.
type session struct{ *websocket.Conn }

func openSession(t *testing.T, node *parleytest.Node) session {
	t.Helper()
	conn, err := parleytest.DialWS(t.Context(), &parleytest.Client{URL: node.URL, Token: tokenNamed(t, "ada", "Ada", briefly)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	return session{conn}
}

func (s session) say(t *testing.T, message string) {
	t.Helper()
	_ = s.Write(t.Context(), websocket.MessageText, []byte(message)) // what is wrong is read
}

// ask returns what is answered, or the code of the session's end.
func (s session) ask(t *testing.T, message string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), parleytest.Patience)
	defer cancel()
	s.say(t, message)
	for {
		_, answer, err := s.Read(ctx)
		if err != nil {
			return fmt.Sprint(websocket.CloseStatus(err))
		}
		if !strings.Contains(string(answer), `"complete"`) {
			return string(answer)
		}
	}
}

// want asks, and fails unless the answer has a part.
func (s session) want(t *testing.T, message, part string) {
	t.Helper()
	if got := s.ask(t, message); !strings.Contains(got, part) {
		t.Errorf("%s instead of %s", got, part)
	}
}

const askWho = `{"type":"subscribe","id":"w","payload":{"query":"{ viewer { id name } }"}}`

// TestIdentityRefresh: a WebSocket goes on beyond its token, by a mutation or by a pong, with a
// token of the same user's.
func TestIdentityRefresh(t *testing.T) {
	t.Parallel()
	node := startHostile(t, map[string]string{"PARLEY_EXPIRY_SPREAD": "0s"})
	goesOn := func(t *testing.T, refresh func(session)) {
		t.Parallel()
		begin := time.Now()
		s := openSession(t, node)
		s.want(t, askWho, `"name":"Ada"`)
		refresh(s)
		parleytest.Eventually(t, "the new token counts", func() bool { return strings.Contains(s.ask(t, askWho), `"name":"Ada II."`) })
		time.Sleep(time.Until(begin.Add(briefly + leeway + time.Second))) // until the first token is over for good
		s.want(t, askWho, `"name":"Ada II."`)
	}
	second := tokenNamed(t, "ada", "Ada II.", time.Hour)
	t.Run("mutation", func(t *testing.T) {
		goesOn(t, func(s session) {
			s.want(t, refreshWith(tokenNamed(t, "bob", "Bob", time.Hour)), `"FORBIDDEN"`)
			s.want(t, refreshWith("rubbish"), `"UNAUTHENTICATED"`)
			s.want(t, refreshWith(second), `"expiresAt":"20`)
		})
	})
	t.Run("pong", func(t *testing.T) {
		goesOn(t, func(s session) { s.say(t, pongWith(second)) })
	})
	t.Run("without, it ends", func(t *testing.T) {
		t.Parallel()
		begin := time.Now()
		s := openSession(t, node)
		parleytest.Eventually(t, "it ends", func() bool { return s.ask(t, askWho) == "StatusCode(4403)" })
		if took := time.Since(begin); took < 2*time.Second {
			t.Errorf("it ended after %v", took)
		}
	})
	for name, bad := range map[string]string{"another user's": tokenNamed(t, "bob", "Bob", time.Hour), "rubbish": "rubbish"} {
		t.Run("a pong with a token that is "+name, func(t *testing.T) {
			t.Parallel()
			openSession(t, node).want(t, pongWith(bad), "4403")
		})
	}
}
