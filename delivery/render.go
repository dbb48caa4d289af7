package delivery

import (
	"context"
	"errors"

	"parley/eventlog"
)

// maxRenderTries, with retry's waits, makes a group wait about 20 s for the store.
const maxRenderTries = 15

func isNotShareable(err error) bool { return errors.Is(err, ErrNotShareable) }

// renderPublication renders one publication of a log, for many or (not shared) for one viewer.
func (h *Hub) renderPublication(ctx context.Context, r Renderer, shared bool, log string, p *eventlog.Publication) (*Event, error) {
	cursor := logCursor(log, p.Position, p.Seq)
	payload, err := h.render(ctx, r, shared, log, Source{Payload: p.Payload, Cursor: cursor})
	if err != nil {
		return nil, err
	}
	return &Event{Payload: payload, Cursor: cursor.String(), Offset: p.Offset}, nil
}

// renderValue renders one value of a state topic that a log guards, for many or (not shared) for one
// viewer.
func (h *Hub) renderValue(ctx context.Context, r Renderer, shared bool, guard string, v eventlog.Value) (*Event, error) {
	payload, err := h.render(ctx, r, shared, guard, Source{Payload: v.Payload})
	if err != nil {
		return nil, err
	}
	return &Event{Payload: payload, Key: v.Key}, nil
}

// render asks again while the store doesn't answer, and gives up after maxRenderTries, unless the node is
// cut off: then the response tells of the error. It fails with ErrNotShareable and ErrAudienceMoved where
// that can be mended, and when ctx is done.
func (h *Hub) render(ctx context.Context, r Renderer, shared bool, log string, source Source) (payload []byte, err error) {
	tries := 0
	err = h.retry(ctx, forever, "rendering", func() error {
		tries++
		payload, err = h.renderOnce(ctx, r, source)
		if err == nil || ctx.Err() != nil || shared && (isNotShareable(err) || isAudienceMoved(err)) {
			return err
		}
		if errors.Is(err, eventlog.ErrUnavailable) && (tries < maxRenderTries || h.cutOff(log)) {
			return err
		}
		payload = r.RenderFailure(ctx, source, err)
		return nil
	})
	if err == nil {
		h.metrics.renders.Inc()
	}
	return payload, err
}

func (h *Hub) renderOnce(ctx context.Context, r Renderer, source Source) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, h.options.RenderTimeout)
	defer cancel()
	return r.Render(ctx, source)
}
