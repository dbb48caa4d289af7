package transport

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// Media types of requests and responses.
const (
	mediaJSON        = "application/json"
	mediaResponse    = "application/graphql-response+json"
	mediaEventStream = "text/event-stream"
	mediaMultipart   = "multipart/mixed"

	charsetUTF8 = "; charset=utf-8"

	// subscriptionSpec is the version of Apollo's multipart protocol for subscriptions that is spoken here.
	subscriptionSpec = "1.0"
	// streamTypes are what a client names to follow a subscription over HTTP.
	streamTypes = mediaEventStream + " or " + mediaMultipart + ";subscriptionSpec=" + subscriptionSpec
)

// Accept is what a request wants as answer (RFC 9110 §12.5.1).
type Accept struct {
	ranges []mediaRange
}

type mediaRange struct {
	media   string
	quality float64
	// params are the others: of multipart/mixed, what is to be in the parts.
	params map[string]string
}

// maxMediaRanges bounds the ranges that are looked at; browsers send fewer than ten.
const maxMediaRanges = 32

// ParseAccept reads the Accept header. Ranges that can't be understood are left out.
func ParseAccept(h http.Header) Accept {
	var accept Accept
	for part := range strings.SplitSeq(strings.Join(h.Values("Accept"), ","), ",") {
		media, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		quality := 1.0
		if q, ok := params["q"]; ok {
			if quality, err = strconv.ParseFloat(q, 64); err != nil {
				continue
			}
		}
		if accept.ranges = append(accept.ranges, mediaRange{media, quality, params}); len(accept.ranges) == maxMediaRanges {
			break
		}
	}
	return accept
}

// EventStream reports whether an event stream is asked for by name.
func (a Accept) EventStream() bool { return a.names(mediaEventStream) }

// MultipartSubscription reports whether a multipart response for a subscription is asked for by name and
// version, and with which boundary, "" for any.
func (a Accept) MultipartSubscription() (boundary string, ok bool) {
	for _, r := range a.ranges {
		if r.media == mediaMultipart && r.params["subscriptionspec"] == subscriptionSpec && r.quality > 0 {
			return r.params["boundary"], true
		}
	}
	return "", false
}

// NamesJSON reports whether a single JSON response is asked for by name.
func (a Accept) NamesJSON() bool { return a.names(mediaJSON) || a.names(mediaResponse) }

func (a Accept) names(media string) bool {
	for _, r := range a.ranges {
		if r.media == media {
			return r.quality > 0
		}
	}
	return false
}

// PlainText reports whether a plain text will do.
func (a Accept) PlainText() bool { return len(a.ranges) == 0 || a.quality("text/plain") > 0 }

// JSON returns the media type of the two for single responses that the client prefers; ok is false
// if neither will do. In doubt it is application/json (GraphQL over HTTP, legacy watershed).
func (a Accept) JSON() (media string, ok bool) {
	if len(a.ranges) == 0 {
		return mediaJSON, true
	}
	legacy, current := a.quality(mediaJSON), a.quality(mediaResponse)
	switch {
	case legacy <= 0 && current <= 0:
		return mediaJSON, false
	case current > legacy, current == legacy && a.before(mediaResponse, mediaJSON):
		return mediaResponse, true
	}
	return mediaJSON, true
}

// quality is that of the most specific range which covers media.
func (a Accept) quality(media string) float64 {
	kind, _, _ := strings.Cut(media, "/")
	for _, pattern := range []string{media, kind + "/*", "*/*"} {
		for _, r := range a.ranges {
			if r.media == pattern {
				return r.quality
			}
		}
	}
	return 0
}

// before reports whether a is named, and before b.
func (a Accept) before(first, second string) bool {
	for _, r := range a.ranges {
		switch r.media {
		case first:
			return true
		case second:
			return false
		}
	}
	return false
}
