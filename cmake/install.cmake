# What `make install` puts where.  The keeper and the server are not for people to start: they go
# to libexec.
configure_file(packaging/cella.pc.in ${CMAKE_BINARY_DIR}/cella.pc @ONLY)

configure_file(packaging/cella.service.in ${CMAKE_BINARY_DIR}/cella.service @ONLY)

install(TARGETS cella cella-shared cella-static)
install(TARGETS cella-serve DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/cella)
install(DIRECTORY include/cella TYPE INCLUDE)
install(FILES ${CMAKE_BINARY_DIR}/cella.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(PROGRAMS packaging/start_local_sandbox TYPE BIN)
install(PROGRAMS ${CMAKE_BINARY_DIR}/cella-keeper DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/cella)
install(DIRECTORY runtimes policies schema DESTINATION ${CMAKE_INSTALL_DATADIR}/cella)
install(FILES ${CMAKE_BINARY_DIR}/cella.service packaging/cella.socket
    DESTINATION lib/systemd/system) # whatever the libraries' directory is called
install(FILES LICENSE README.md CONTRIBUTING.md SECURITY.md TYPE DOC)
install(DIRECTORY docs examples TYPE DOC) # where the README's links lead

install(FILES man/cella.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)

# The program itself prints its completions, from the table that it parses its options by.
set(COMPLETIONS ${CMAKE_BINARY_DIR}/completions)
file(MAKE_DIRECTORY ${COMPLETIONS})
function(add_completion shell file directory)
    add_custom_command(OUTPUT ${COMPLETIONS}/${file}
        COMMAND cella completion ${shell} > ${COMPLETIONS}/${file}
        DEPENDS cella VERBATIM)
    set_property(GLOBAL APPEND PROPERTY CELLA_COMPLETIONS ${COMPLETIONS}/${file})
    install(FILES ${COMPLETIONS}/${file} DESTINATION ${CMAKE_INSTALL_DATADIR}/${directory})
endfunction()
add_completion(bash cella bash-completion/completions)
add_completion(zsh _cella zsh/site-functions)
add_completion(fish cella.fish fish/vendor_completions.d)
get_property(files GLOBAL PROPERTY CELLA_COMPLETIONS)
add_custom_target(completions ALL DEPENDS ${files})
