"""Every error that outside data can cause.

ProtocolError
+-- MessageError   not JSON, or a field is missing, of the wrong type or out of bounds
+-- SealError      the mac is missing, damaged or made with another key
+-- TopicError     not a topic of ours
+-- PricingError   no price holds at that time
"""


class ProtocolError(ValueError):
    """Outside data that cannot be used; the text says which part and why."""


class MessageError(ProtocolError):
    """`field` is the dotted path of what is wrong ("rate.steps[3]"), `reason` says what was expected."""

    def __init__(self, field, reason):
        super().__init__(field + ": " + reason)
        self.field = field
        self.reason = reason

    def within(self, field):
        """The same error with the field that contains this one in front of its path; "" for the message."""
        if field and self.field:
            field += "."
        return MessageError(field + self.field, self.reason)


class SealError(ProtocolError):
    pass


class TopicError(ProtocolError):
    pass


class PricingError(ProtocolError):
    pass
