package render_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"parley/chat"
	"parley/delivery"
	"parley/eventlog"
	"parley/render"
)

// readers makes the rig one whose viewers read what is named here, or everything.
func (r *rig) readers(names map[string]string) {
	r.root.open = func(ctx context.Context, room string, _ *eventlog.Cursor) (render.Spec, error) {
		name, err := viewer(ctx)
		return render.Spec{Spec: delivery.Spec{Topic: room, Principal: name, Filter: 4, Access: reads(names[name])}, As: as(name)}, err
	}
}

const answers = `subscription { messageAdded(roomId: "r_1") { content replyTo { content } } }`

// TestHistoryIsSharedByAudience: who may read the same shares renderings, made without a viewer.
func TestHistoryIsSharedByAudience(t *testing.T) {
	r := newRig(t)
	r.readers(map[string]string{"bob": "late", "cyd": "late"})
	for name, want := range map[string]string{"ada": "", "zoe": "", "bob": "late", "cyd": "late"} {
		opened := r.mustOpen(request{viewer: name, query: answers})
		if opened.Audience != want {
			t.Errorf("%s is of %q", name, opened.Audience)
		}
		if got := r.render(opened.Renderer, hello()); !strings.Contains(got, `"content":"for `+want+`"`) {
			t.Errorf("%s got %s", name, got)
		}
		if got := r.render(opened.Personal, hello()); !strings.Contains(got, `"content":"for `+name+`"`) {
			t.Errorf("%s alone got %s", name, got)
		}
	}
	ada, bob, cyd := r.mustOpen(request{viewer: "ada", query: answers}), r.mustOpen(request{viewer: "bob", query: answers}), r.mustOpen(request{viewer: "cyd", query: answers})
	if bob.Group != cyd.Group || bob.Renderer != cyd.Renderer || ada.Group == bob.Group || ada.Renderer == bob.Renderer {
		t.Error("those who read the same don't share, or others do")
	}
	moved := ada.Share(reads("late"))
	if moved.Group != bob.Group || moved.Renderer != bob.Renderer || moved.Audience != "late" {
		t.Errorf("ada's new group isn't bob's: %+v", moved)
	}
	fresh := ada.Share(reads("later"))
	if got := r.render(fresh.Renderer, hello()); !strings.Contains(got, `"content":"for later"`) || fresh.Group == bob.Group {
		t.Errorf("a new audience got %s", got)
	}
	if r.asked() != 0 {
		t.Errorf("%v shared renderings were thrown away", r.asked())
	}
}

// TestHistoryIsNotSharedBy: documents that also ask about the viewer, and state.
func TestHistoryIsNotShared(t *testing.T) {
	r := newRig(t)
	r.readers(nil)
	alone := func(what string, q request) {
		opened := r.mustOpen(q)
		if opened.Audience != "user:ada" || opened.Renderer != opened.Personal || opened.Share != nil {
			t.Errorf("%s: %+v", what, opened.Sharing)
		}
	}
	alone("with the viewer", request{viewer: "ada", query: `subscription { messageAdded(roomId: "r_1") { replyTo { content } room { viewerUnreadCount } } }`})
	open := r.root.open
	r.root.open = func(ctx context.Context, room string, after *eventlog.Cursor) (render.Spec, error) {
		spec, err := open(ctx, room, after)
		spec.State = func(context.Context, func([]eventlog.Value)) (func(), error) { return nil, nil }
		return spec, err
	}
	alone("state", request{viewer: "ada", query: answers})
	if opened := r.mustOpen(request{viewer: "ada", query: `subscription { messageAdded(roomId: "r_1") { content } }`}); opened.Audience != "" || opened.Share != nil {
		t.Errorf("without a marked field: %+v", opened.Sharing)
	}
}

// TestAudienceAsksForTheViewer: a shared rendering has none, whatever its audience may read.
func TestAudienceAsksForTheViewer(t *testing.T) {
	r := newRig(t)
	r.readers(map[string]string{"bob": "late"})
	r.root.reply = func(ctx context.Context, m *chat.Message) (*chat.Message, error) {
		_, err := viewer(ctx)
		return m, err
	}
	for _, name := range []string{"ada", "bob"} {
		opened := r.mustOpen(request{viewer: name, query: answers})
		if payload, err := opened.Renderer.Render(t.Context(), hello()); payload != nil || !errors.Is(err, delivery.ErrNotShareable) {
			t.Errorf("%s: %s, %v", name, payload, err)
		}
		r.render(opened.Personal, hello())
	}
	if r.asked() != 2 {
		t.Errorf("counted %v", r.asked())
	}
}

// TestAudienceMoves: a rendering for an audience that is no more is thrown away, whatever else was
// wrong with it.
func TestAudienceMoves(t *testing.T) {
	r := newRig(t)
	r.readers(map[string]string{"bob": "late"})
	for name, end := range map[string]func() error{
		"and it is told": func() error { return errors.New("moved") }, "and nobody minds": func() error { return nil },
		"and the store is gone": func() error { return eventlog.ErrUnavailable }, "and it panics": func() error { panic("!") },
	} {
		r.root.reply = func(ctx context.Context, m *chat.Message) (*chat.Message, error) {
			render.AudienceMoved(ctx)
			return m, end()
		}
		opened := r.mustOpen(request{viewer: "bob", query: answers})
		if payload, err := opened.Renderer.Render(t.Context(), hello()); payload != nil || !errors.Is(err, delivery.ErrAudienceMoved) {
			t.Errorf("%s: %s, %v", name, payload, err)
		}
	}
	render.AudienceMoved(t.Context()) // outside of a rendering there is nobody to tell
}

// TestAt: the place of the event is known where it is rendered, and nowhere else.
func TestAt(t *testing.T) {
	r := newRig(t)
	var at eventlog.Cursor
	var ok bool
	r.root.reply = func(ctx context.Context, _ *chat.Message) (*chat.Message, error) {
		at, ok = render.At(ctx)
		return nil, nil
	}
	opened := r.mustOpen(request{viewer: "ada", query: answers})
	r.render(opened.Renderer, hello())
	if !ok || at != hello().Cursor {
		t.Errorf("in an event: %+v, %v", at, ok)
	}
	r.render(opened.Personal, delivery.Source{Payload: hello().Payload})
	if ok {
		t.Errorf("in a state: %+v", at)
	}
	if _, ok := render.At(t.Context()); ok {
		t.Error("outside of a rendering")
	}
}
