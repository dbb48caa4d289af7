package sqlite

import (
	"errors"
	"fmt"

	"parley/chat"
	"parley/eventlog"
)

var (
	errClosed = fmt.Errorf("%w: the store is closed", eventlog.ErrUnavailable)
	// errBusy answers a call that found too many others waiting.
	errBusy = fmt.Errorf("%w: too many calls wait for the store", eventlog.ErrUnavailable)
)

// unavailable says of an error of the database or of a context that the store couldn't answer.
func unavailable(err error) error {
	if err == nil || errors.Is(err, eventlog.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %w", eventlog.ErrUnavailable, err)
}

// chatError gives an error the form that chat.Store promises.
func chatError(err error) error {
	if !errors.Is(err, eventlog.ErrUnavailable) {
		return err
	}
	return &chat.Error{
		Code:    chat.Unavailable,
		Message: "the store can't answer now; the same request may be repeated",
		Cause:   err,
	}
}

// noRoom is the answer for a room that isn't there.
func noRoom() error { return chat.Errorf(chat.NotFound, "no such room") }
