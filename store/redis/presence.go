package redis

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"parley/eventlog"
	"parley/presence"
)

// presenceRecord is a presence, as lua/lib/presence.lua publishes it.
type presenceRecord struct {
	ID      string          `json:"id"`
	Name    string          `json:"name"`
	Avatar  string          `json:"avatar"`
	Status  presence.Status `json:"status"`
	Version uint64          `json:"version"`
	Seen    int64           `json:"seen"`
}

// presence returns the record as others see it: who isn't offline hasn't been seen last.
func (r presenceRecord) presence() *presence.Presence {
	p := &presence.Presence{
		User:   presence.User{ID: r.ID, Name: r.Name, AvatarURL: r.Avatar},
		Status: r.Status, Version: r.Version,
	}
	switch r.Status {
	case "":
		p.Status = presence.Offline
	case presence.Offline:
		p.LastSeenAt = optionalTime(r.Seen)
	}
	return p
}

func (r presenceRecord) value() eventlog.Value {
	return eventlog.Value{Key: r.ID, Version: r.Version, Payload: r.presence()}
}

func decodePresence(payload string) (any, error) {
	var r presenceRecord
	if err := json.Unmarshal([]byte(payload), &r); err != nil {
		return nil, fmt.Errorf("redis: a presence: %w", err)
	}
	return r.value(), nil
}

// withVersion returns the value with another version.
func withVersion(v eventlog.Value, version uint64) eventlog.Value {
	if v.Version == version {
		return v
	}
	v.Version = version
	if p, ok := v.Payload.(*presence.Presence); ok {
		changed := *p
		changed.Version = version
		v.Payload = &changed
	}
	return v
}

// presenceKeys are those that connect.lua and disconnect.lua begin with.
func presenceKeys(instance string, user entity) []string {
	keys := user.owns("devices", "user")
	keys = append(keys, user.bucket.of(instance).own("instance"))
	return append(keys, user.keys("instances", "grace", "bucket", "recent")...)
}

// Connect implements [presence.Store].
func (s *Store) Connect(ctx context.Context, instance, device string, user presence.User) error {
	e := entityOf(user.ID)
	_, err := s.run(ctx, connectScript, presenceKeys(instance, e), instance, device, user.ID, user.Name,
		user.AvatarURL, e.presenceChannel(), s.publish, mark())
	return err
}

// Disconnect implements [presence.Store].
func (s *Store) Disconnect(ctx context.Context, instance, device, user string, grace time.Duration) error {
	if device == "" { // to the script that would mean all of them
		return nil
	}
	return s.disconnect(ctx, instance, device, user, grace)
}

// disconnect removes a device, or with "" all of the user's devices of the instance.
func (s *Store) disconnect(ctx context.Context, instance, device, user string, grace time.Duration) error {
	e := entityOf(user)
	keys := append(presenceKeys(instance, e), e.own("typing-in"))
	got, err := s.run(ctx, disconnectScript, keys, instance, device, user, grace.Milliseconds(),
		e.presenceChannel(), s.publish, mark())
	if err != nil {
		return err
	}
	for _, room := range got.list(1).from(0) {
		if err := s.SetTyping(ctx, room, presence.User{ID: user}, 0); err != nil {
			return err
		}
	}
	return nil
}

// Presences implements [presence.Store].
func (s *Store) Presences(ctx context.Context, users []string) ([]presence.Presence, error) {
	values, err := s.presenceValues(ctx, users)
	if err != nil {
		return nil, err
	}
	presences := make([]presence.Presence, len(values))
	for i, v := range values {
		presences[i] = *v.Payload.(*presence.Presence)
	}
	return presences, nil
}

// presenceValues reads users' presences, in the order asked. With an error, those that could be read are there all
// the same, and the zero Value in the place of the others.
func (s *Store) presenceValues(ctx context.Context, users []string) ([]eventlog.Value, error) {
	if len(users) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	pipe := s.client.Pipeline()
	cmds := make([]*goredis.SliceCmd, len(users))
	for i, user := range users {
		cmds[i] = pipe.HMGet(ctx, entityOf(user).own("user"), "name", "avatar", "status", "version", "seen")
	}
	_, err := pipe.Exec(ctx)
	values := make([]eventlog.Value, len(users))
	for i, user := range users {
		if cmds[i].Err() != nil {
			continue
		}
		fields := answer(cmds[i].Val())
		seen, _ := strconv.ParseInt(fields.text(4), 10, 64)
		values[i] = presenceRecord{
			ID: user, Name: fields.text(0), Avatar: fields.text(1),
			Status: presence.Status(fields.text(2)), Version: fields.number(3), Seen: seen,
		}.value()
	}
	if err != nil {
		err = fault(ctx, "presences", err)
	}
	return values, err
}

var (
	_ eventlog.State = (*Store)(nil)
	_ presence.Store = (*Store)(nil)
)
