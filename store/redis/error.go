package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"parley/chat"
	"parley/eventlog"
)

var (
	errNoRoom   = chat.Errorf(chat.NotFound, "there is no such room")
	errNoMember = chat.Errorf(chat.NotFound, "there is no such member")
)

// fault wraps an error of Redis or of the way to it. All mean that the store can't answer now, but
// for those that say that we asked for something wrong.
func fault(ctx context.Context, doing string, err error) error {
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		<-ctx.Done() // the connection's timer may be a little ahead of the context's
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if ours := goredis.Error(nil); errors.As(err, &ours) && isMistake(ours.Error()) {
		return fmt.Errorf("redis: %s: %w", doing, err)
	}
	return fmt.Errorf("%w: redis: %s: %w", eventlog.ErrUnavailable, doing, err)
}

// isMistake tells an error of our own making from those a server gives when it can't serve:
// LOADING, OOM, READONLY, MISCONF, BUSY, NOAUTH and so on.
func isMistake(message string) bool {
	if strings.Contains(message, "non local key") { // the script's keys are being moved to another server
		return false
	}
	return strings.HasPrefix(message, "ERR ") || strings.HasPrefix(message, "WRONGTYPE ") ||
		strings.HasPrefix(message, "CROSSSLOT ")
}

// forChat gives an error the code by which the domain knows it.
func forChat(err error) error {
	if errors.Is(err, eventlog.ErrUnavailable) {
		return &chat.Error{Code: chat.Unavailable, Message: "the store can't answer now; try again", Cause: err}
	}
	return err
}

// badAnswer is for an answer of a script that can't be.
func badAnswer(doing string, got any) error {
	return fmt.Errorf("redis: %s: an answer that makes no sense: %.200v", doing, got)
}
