package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"parley/chat"
	"parley/ratelimit"
)

// rateSettings are the settings of how often.
type rateSettings struct {
	RateLimits       string          `env:"PARLEY_RATE_LIMITS" default:"on" enum:"on,off" help:"off switches rates and counts of connections off, for load tests. All other limits stay."`
	RateMessagesUser ratelimit.Limit `env:"PARLEY_RATE_MESSAGES_USER" default:"10/s burst 50" help:"How often one user sends messages, or changes anything else in rooms; 'off' for any."`
	RateMessagesRoom ratelimit.Limit `env:"PARLEY_RATE_MESSAGES_ROOM" default:"200/s burst 1000" help:"How often messages are sent and edited in one room."`
	RateRoomsUser    ratelimit.Limit `env:"PARLEY_RATE_ROOMS_USER" default:"30/m burst 30" help:"How often one user creates rooms."`
	RateTypingUser   ratelimit.Limit `env:"PARLEY_RATE_TYPING_USER" default:"5/s burst 20" help:"How often one user says that they type."`
}

// effective returns the settings as they hold: none of them with PARLEY_RATE_LIMITS=off.
func (s rateSettings) effective() rateSettings {
	if s.RateLimits == "off" {
		return rateSettings{RateLimits: "off"}
	}
	return s
}

// limits judges who comes too often.
type limits struct {
	rateSettings
	refusals *ratelimit.Refusals
	typing   *ratelimit.Limiter
}

func newLimits(c *config, metrics prometheus.Registerer) *limits {
	l := &limits{rateSettings: c.effective(), refusals: ratelimit.NewRefusals(metrics)}
	l.typing = ratelimit.NewLimiter("typing_user", l.RateTypingUser, l.refusals)
	return l
}

// rates are what the domain judges itself.
func (l *limits) rates() chat.Rates {
	return chat.Rates{User: l.RateMessagesUser, Room: l.RateMessagesRoom, Creation: l.RateRoomsUser, Refusals: l.refusals}
}
