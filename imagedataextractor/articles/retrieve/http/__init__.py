"""The only place that talks to the network: polite, bounded, and trusting nothing it is sent.

In: a service and an address. Out: checked bytes, text, JSON or a file; or one `ServiceError`.
Every request is spaced as its service asks (over all processes that share the cache folder), repeated
after a pause where that may help, and checked before its answer is used: status, length, checksum,
first bytes. Answers go to a temporary name and are renamed when whole. Keys are sent to the service
they belong to and to nobody else, and are taken out of everything that is stored or shown.
"""

from imagedataextractor.articles.retrieve.http.answers import Answer, Kind, is_whole
from imagedataextractor.articles.retrieve.http.client import Client, Service
from imagedataextractor.articles.retrieve.http.errors import AccessError, NotFoundError, UnreachableError

__all__ = ["AccessError", "Answer", "Client", "Kind", "NotFoundError", "Service", "UnreachableError", "is_whole"]
