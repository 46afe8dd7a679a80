"""``mitmproxy.utils.typecheck``: the types of options."""

from flowdump.compat.shims.small import check_option_type, typespec_to_str

__all__ = ["check_option_type", "typespec_to_str"]
