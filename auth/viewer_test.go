package auth_test

import (
	"testing"

	"parley/auth"
)

func TestViewerFrom(t *testing.T) {
	t.Run("nobody signed in", func(t *testing.T) {
		if viewer := auth.ViewerFrom(t.Context()); viewer != nil {
			t.Errorf("viewer = %v, want nil", viewer)
		}
	})
	t.Run("signed in", func(t *testing.T) {
		ada := &auth.Viewer{ID: "ada"}
		if viewer := auth.ViewerFrom(auth.WithViewer(t.Context(), ada)); viewer != ada {
			t.Errorf("viewer = %v, want %v", viewer, ada)
		}
	})
	t.Run("hidden again", func(t *testing.T) {
		ctx := auth.WithViewer(t.Context(), &auth.Viewer{ID: "ada"})
		if viewer := auth.ViewerFrom(auth.WithViewer(ctx, nil)); viewer != nil {
			t.Errorf("viewer = %v, want nil", viewer)
		}
	})
}
