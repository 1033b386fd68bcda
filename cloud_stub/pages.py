"""The pages people open: `/p/{device_id}` is what a pile's QR code says, `/console` is the operator's."""

from fastapi import APIRouter

router = APIRouter(include_in_schema=False)
