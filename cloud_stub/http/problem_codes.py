"""The stable codes of all problems: with which HTTP status each is answered, and when.

Programs and pages decide by them; a code, once released, keeps its meaning. A test holds this table equal to
the problems that the rooms raise.
"""

MEANINGS: dict[int, dict[str, str]] = {
    400: {
        "BadRequest": "The request cannot be read",
        "NotJson": "The request's body is not JSON",
    },
    401: {
        "SignInRefused": "No account that may sign in has this name and password",
        "Unauthorized": "This needs a session of the console, an API token or the operator token",
    },
    403: {
        "CrossSite": "A session's cookie came without the header that only the console's own pages can set",
        "Forbidden": "The caller's role does not allow this; `permission` is what it needs",
    },
    404: {
        "NotFound": "There is nothing at this address",
        "UnknownBoard": "This cloud has no firmware for that board",
        "UnknownPile": "There is no pile with that id",
        "UnknownRelease": "There is no release with that number",
        "UnknownRollout": "There is no rollout with that number",
        "UnknownConnector": "This pile has no such connector",
        "UnknownOrder": "There is no such order, or the token is not its own",
        "UnknownSession": "There is no such session, or it has ended",
        "UnknownSettlement": "There is no settlement with that id",
        "UnknownToken": "There is no such API token",
        "UnknownUser": "There is no account with that name",
    },
    405: {"MethodNotAllowed": "This address does not take that method"},
    409: {
        "AlreadyPaid": "The order was paid before its settlement was flagged; `total_minor` is what was paid",
        "AlreadyReviewed": "Somebody has decided about the settlement already",
        "AmountMismatch": "The amount is not the settlement's total; `total_minor` is",
        "ConnectorBusy": "The connector is in use",
        "ConnectorUnavailable": "The connector is out of service",
        "LastOwner": "No other owner could sign in after this",
        "NoPassword": "The caller is a token; only an account has a password",
        "NoRate": "The pile has no rate yet",
        "NothingToUpdate": "None of the selected piles can take the release or configuration",
        "NotFlagged": "Nothing is wrong with the settlement, so there is nothing to decide",
        "NotPlugged": "No vehicle is plugged in",
        "NotSettled": "There is nothing to pay yet",
        "NothingToRelease": "The settlement cannot be released; it can be waived",
        "OrderEnded": "The order has ended; `state` is how",
        "OrderRunning": "The pile is online, so the order can be stopped instead",
        "PileExists": "A pile has that id, or had it before it was removed",
        "PileFaulted": "The connector has a fault",
        "PileInUse": "An order holds the pile",
        "RateChanged": "Another rate or price holds by now; `rate` is what to confirm instead",
        "RateReplaced": "Another version has been published meanwhile; `rate` is that version",
        "ReleaseExists": "That number belongs to a release with other bytes",
        "ReleaseInUse": "A rollout of the release has not ended",
        "RolloutEnded": "The rollout has ended; `state` is how",
        "SettlementFlagged": "The settlement is being looked into and cannot be paid yet",
        "TooManyReleases": "As many releases are there as are kept; remove one first",
        "SettlementsWaiting": "The pile holds settlements that would be lost; `force` gives them up",
        "TokenExists": "A token has that name, and is not revoked",
        "TooManyTokens": "There are too many tokens; revoke some",
        "UserExists": "An account has that name, or had it before it was removed",
    },
    410: {"PileRemoved": "The pile was removed; orders made there keep their receipts"},
    413: {"BodyTooLarge": "The request's body is too large"},
    422: {
        "BadRelease": "The release archive cannot be used; `reason` and `detail` say why",
        "IdempotencyKeyReused": "That Idempotency-Key belongs to another order",
        "InvalidRequest": "A field cannot be used; `errors` names each, and why",
        "LimitTooLow": "The session fee alone reaches the cost limit; `least` is the lowest useful one",
    },
    429: {"TooManyRequests": "Too many requests, or tries of a password; Retry-After says when to try again"},
    431: {"HeadersTooLarge": "The request's headers are too large"},
    500: {"InternalError": "Something went wrong here; it has been noted"},
    503: {
        "BrokerUnavailable": "The broker's password file cannot be written; try again",
        "DatabaseUnavailable": "The database does not answer; try again",
        "OutcomeUnknown": "The database has not answered a commit, which may still take effect",
        "PileHasNoClock": "The pile does not know the time yet; try again",
        "PileOffline": "The pile is not connected",
    },
}

STATUS_OF = {code: status for status, codes in MEANINGS.items() for code in codes}
