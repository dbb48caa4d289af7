package redis_test

import (
	"bufio"
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"parley/auth"
	"parley/chat"
	"parley/eventlog"
	"parley/presence"
	"parley/ratelimit"
	"parley/reservation"
	"parley/store/redis"
	"parley/store/redis/redistest"
)

// everyVerb does everything a store can at least once.
func everyVerb(t *testing.T, store *redis.Store) {
	t.Helper()
	settings := chat.RoomSettings{Name: "Open house", Visibility: chat.Public, History: chat.HistoryAll}
	room, err := store.CreateRoom(t.Context(), chat.NewRoom{
		ID: chat.NewRoomID(), Type: chat.Channel, Settings: settings, Owner: &ada, Members: []chat.User{bob},
	})
	must(t, err)
	once := sending(room.ID, ada, "one")
	once.Message.ClientID = "key"
	once.Costs = []ratelimit.Cost{{Key: "room/" + room.ID, Limit: ratelimit.Limit{Count: 1, Period: time.Hour, Burst: 9}}}
	must(t, store.Take(t.Context(), ratelimit.Cost{Key: "creation/" + ada.ID, Limit: once.Costs[0].Limit}))
	settings.Name = "Closed house"
	for _, a := range []chat.Append{
		once, once, sending(room.ID, ada, "two"),
		{RoomID: room.ID, Kind: chat.KindMessageEdited, Actor: ada, Seq: 1, Content: "1"},
		{RoomID: room.ID, Kind: chat.KindMessageDeleted, Actor: ada, Seq: 2},
		{RoomID: room.ID, Kind: chat.KindMemberRoleChanged, Actor: ada, Target: bob, Role: chat.Admin},
		{RoomID: room.ID, Kind: chat.KindMemberRemoved, Actor: ada, Target: bob},
		{RoomID: room.ID, Kind: chat.KindMemberJoined, Actor: bob, Target: bob, Role: chat.Ordinary},
		{RoomID: room.ID, Kind: chat.KindMemberLeft, Actor: bob, Target: bob},
		{RoomID: room.ID, Kind: chat.KindRoomUpdated, Actor: ada, Settings: &settings},
	} {
		_, err := store.Append(t.Context(), a)
		must(t, err)
	}
	readEverything(t, store, room.ID)
	everyCredential(t, store)
	lost := tailOf(t, store, room.ID)
	lost.Offset++
	must(t, store.Fence(t.Context(), room.ID, lost))

	user := visitor(ada)
	renew(t, store, "node")
	must(t, store.Connect(t.Context(), "node", "first", user), store.Connect(t.Context(), "node", "second", user),
		store.SetTyping(t.Context(), room.ID, user, time.Minute),
		store.Disconnect(t.Context(), "node", "first", ada.ID, 0),
		store.Disconnect(t.Context(), "node", "second", ada.ID, time.Millisecond),
		store.SetTyping(t.Context(), room.ID, visitor(bob), time.Millisecond),
		store.Connect(t.Context(), "node", "third", visitor(bob)), store.Release(t.Context(), "node"))
	eventually(t, "all is swept", func() bool {
		_, err := store.Sweep(t.Context(), 0)
		must(t, err)
		presences, err := store.Presences(t.Context(), []string{ada.ID, bob.ID})
		must(t, err)
		typing, err := store.Typing(t.Context(), room.ID)
		must(t, err)
		return presences[0].Status == presence.Offline && presences[1].Status == presence.Offline && len(typing.Users) == 0
	})
}

// everyCredential does everything with tickets and reservations, one more than may be kept, and revocations.
func everyCredential(t *testing.T, store *redis.Store) {
	t.Helper()
	for _, id := range []string{"first", "second"} {
		ticket := auth.Ticket{ID: id, User: ada.ID, Expires: time.Now().Add(time.Hour), Payload: []byte("{}")}
		must(t, store.PutTicket(t.Context(), ticket, time.Minute, 1))
	}
	_, err := store.Ticket(t.Context(), "second")
	must(t, err)
	_, err = store.OpenTicket(t.Context(), "second")
	must(t, err)
	_, err = store.TicketOpenings(t.Context(), []string{"first", "second"})
	must(t, err)
	for _, id := range []string{"first", "second"} {
		r := reservation.Record{ID: id, User: ada.ID, State: []byte("{}")}
		must(t, store.PutReservation(t.Context(), r, time.Minute, 1))
	}
	must(t, store.ChangeReservation(t.Context(), "second", reservation.Change{
		Expect: 1, State: []byte("{}"), Put: map[string][]byte{"a": []byte("1")}, Drop: []string{"b"}, TTL: time.Hour,
	}))
	_, err = store.Reservation(t.Context(), "second", "a")
	must(t, err)
	must(t, store.DropReservation(t.Context(), "second"))
	_, err = store.Revoke(t.Context(), auth.Revocation{User: bob.ID}, time.Hour, 10)
	must(t, err)
	_, err = store.Revocations(t.Context(), 0, 10)
	must(t, err)
}

func readEverything(t *testing.T, store *redis.Store, room string) {
	t.Helper()
	_, err := store.View(t.Context(), chat.ViewQuery{
		RoomID: room, Users: []string{ada.ID}, Sender: ada.ID, ClientID: "key",
	})
	must(t, err)
	_, err = store.MarkRead(t.Context(), room, ada.ID, 1)
	must(t, err)
	_, err = store.Unread(t.Context(), room, ada.ID)
	must(t, err)
	_, err = store.Message(t.Context(), room, 1)
	must(t, err)
	_, err = store.Messages(t.Context(), chat.MessageQuery{
		RoomID: room, Limit: 10, Readable: eventlog.Intervals{{From: 2, To: 9}},
	})
	must(t, err)
	_, err = store.Members(t.Context(), room, "", 10)
	must(t, err)
	memberships, err := store.RoomsOf(t.Context(), ada.ID)
	must(t, err)
	public, err := store.PublicRooms(t.Context(), "house", "", 10)
	must(t, err)
	page, err := store.Read(t.Context(), room, eventlog.Position{}, 100)
	must(t, err)
	if len(memberships) == 0 || len(public) == 0 || len(page.Publications) == 0 {
		t.Errorf("%d memberships, %d public rooms, %d entries", len(memberships), len(public), len(page.Publications))
	}
}

// monitor collects what the server is asked to do until done is called, scripts' own commands
// included.
func monitor(t *testing.T, server *redistest.Server) (done func() []string) {
	t.Helper()
	conn, err := net.Dial("tcp", server.Client().Options().Addr)
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	must(t, conn.SetDeadline(time.Now().Add(patience)))
	_, err = conn.Write([]byte("MONITOR\r\n"))
	must(t, err)
	lines := bufio.NewScanner(conn)
	if !lines.Scan() || lines.Text() != "+OK" {
		t.Fatalf("MONITOR: %q, %v", lines.Text(), lines.Err())
	}
	return func() (all []string) {
		server.Do("ECHO", "the end")
		for lines.Scan() && !strings.Contains(lines.Text(), `"the end"`) {
			all = append(all, lines.Text())
		}
		must(t, lines.Err())
		return all
	}
}

// TestScriptsKeepToTheirBucket runs on a server in cluster mode, which refuses scripts whose keys lie in
// several slots, and compares what the scripts touch with what they are given.
func TestScriptsKeepToTheirBucket(t *testing.T) {
	cluster := redistest.StartCluster(t, 1, 0)
	server := cluster.Servers[0]
	registry := prometheus.NewRegistry()
	store := open(t, cluster, redis.Options{Registerer: registry})
	done := monitor(t, server)
	everyVerb(t, store)
	var given []string
	for _, line := range done() {
		command := splitMonitored(line)
		switch strings.ToUpper(command[0]) {
		case "EVALSHA", "EVAL", "EVALSHA_RO", "EVAL_RO":
			var n int
			_, err := fmt.Sscan(command[2], &n)
			must(t, err)
			given = command[3 : 3+n]
		case "TIME", "PUBLISH", "SPUBLISH":
		default:
			if strings.Contains(line, " lua] ") && !slices.Contains(given, command[1]) {
				t.Errorf("a script given %q touches %q", given, command[1])
			}
		}
	}

	t.Run("no script was left out", func(t *testing.T) {
		files, err := filepath.Glob("lua/*.lua")
		must(t, err)
		var verbs []string
		for _, file := range files {
			verbs = append(verbs, strings.TrimSuffix(filepath.Base(file), ".lua"))
		}
		slices.Sort(verbs)
		if diff := cmp.Diff(verbs, scriptsRun(t, registry)); diff != "" {
			t.Errorf("(-there are, +were run):\n%s", diff)
		}
	})
	t.Run("the slots are spread as computed", func(t *testing.T) {
		for i, prefix := range redis.Prefixes() {
			if slot := server.Do("CLUSTER", "KEYSLOT", prefix+"bucket").(int64); slot/256 != int64(i) {
				t.Errorf("the slot of bucket %d is %d", i, slot)
			}
		}
	})
	t.Run("all keys are some bucket's", func(t *testing.T) {
		for _, key := range server.Do("KEYS", "*").([]any) {
			prefix, _, found := strings.Cut(key.(string), "}:")
			if !found || !slices.Contains(redis.Prefixes(), prefix+"}:") {
				t.Errorf("the key %q is in no bucket", key)
			}
		}
	})
}

// scriptsRun returns the scripts that a store's metrics tell of.
func scriptsRun(t *testing.T, registry *prometheus.Registry) (names []string) {
	t.Helper()
	families, err := registry.Gather()
	must(t, err)
	for _, family := range families {
		if family.GetName() == "parley_redis_script_seconds" {
			for _, metric := range family.GetMetric() {
				names = append(names, metric.GetLabel()[0].GetValue())
			}
		}
	}
	slices.Sort(names)
	return names
}

var quoted = regexp.MustCompile(`"((?:[^"\\]|\\.)*)"`)

// splitMonitored reads the command of a line of MONITOR: time [db address] "command" "argument" ….
func splitMonitored(line string) (command []string) {
	for _, match := range quoted.FindAllStringSubmatch(line, -1) {
		command = append(command, match[1])
	}
	return command
}
