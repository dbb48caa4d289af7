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
	e, err := h.render(ctx, r, shared, log, Source{Payload: p.Payload, Cursor: cursor})
	if err != nil {
		return nil, err
	}
	e.Cursor, e.Offset = cursor.String(), p.Offset
	return e, nil
}

// renderValue renders one value of a state topic that a log guards, for many or (not shared) for one
// viewer.
func (h *Hub) renderValue(ctx context.Context, r Renderer, shared bool, guard string, v eventlog.Value) (*Event, error) {
	e, err := h.render(ctx, r, shared, guard, Source{Payload: v.Payload})
	if err != nil {
		return nil, err
	}
	e.Key = v.Key
	return e, nil
}

// render asks again while the store doesn't answer, and gives up after maxRenderTries, unless the node is
// cut off: then the event tells of the error. It fails with ErrNotShareable and ErrAudienceMoved where
// that can be mended, and when ctx is done.
func (h *Hub) render(ctx context.Context, r Renderer, shared bool, log string, source Source) (e *Event, err error) {
	e = &Event{}
	if direct, ok := r.(Direct); ok {
		if e.Payload, ok = direct.RenderDirectly(source); ok {
			h.metrics.renders.Inc()
			return e, nil
		}
	}
	tries := 0
	err = h.retry(ctx, forever, "rendering", func() error {
		tries++
		e.Payload, err = h.renderOnce(ctx, r, source)
		if err == nil || ctx.Err() != nil || shared && (isNotShareable(err) || isAudienceMoved(err)) {
			return err
		}
		if errors.Is(err, eventlog.ErrUnavailable) && (tries < maxRenderTries || h.CutOff(log)) {
			return err
		}
		e.Payload, e.failure = r.RenderFailure(ctx, source, err), true
		return nil
	})
	if err == nil {
		h.metrics.renders.Inc()
	}
	return e, err
}

func (h *Hub) renderOnce(ctx context.Context, r Renderer, source Source) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, h.options.RenderTimeout)
	defer cancel()
	return r.Render(ctx, source)
}
